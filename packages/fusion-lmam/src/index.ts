import type { Plugin } from "@merclab/core";
import { lmam } from "./plugin.ts";

export { matchingAttention, sumOverQueries } from "./attention.ts";
export { createLmam } from "./fusion.ts";
export { type Match, planMatches } from "./matches.ts";
export { type MatchedSides, matchSides, weightSpecs } from "./matching-weight.ts";
export { DESCRIBED_RANK, type LmamOptions, lmamOptions } from "./options.ts";
export { lmam } from "./plugin.ts";
export { createPresence, type MatchMasks, matchMasks, type Presence } from "./presence.ts";

/** What this package adds to merclab. */
export const plugins: readonly Plugin[] = [lmam];
