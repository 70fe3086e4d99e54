import type { Plugin } from "@merclab/core";
import { crossAttentionPlugin } from "./cross-attention.ts";
import { gatedPlugin } from "./gated.ts";
import { lowRankPlugin } from "./low-rank.ts";
import { selfAttentionPlugin } from "./self-attention.ts";
import { concatPlugin, sumPlugin } from "./simple.ts";
import { tensorFusionPlugin } from "./tensor-fusion.ts";

export { crossAttentionPlugin } from "./cross-attention.ts";
export { gatedPlugin } from "./gated.ts";
export { lowRankPlugin } from "./low-rank.ts";
export { selfAttentionPlugin } from "./self-attention.ts";
export { concatPlugin, sumPlugin } from "./simple.ts";
export { tensorFusionPlugin } from "./tensor-fusion.ts";

/** What this package adds to merclab. */
export const plugins: readonly Plugin[] = [
  concatPlugin,
  sumPlugin,
  gatedPlugin,
  tensorFusionPlugin,
  lowRankPlugin,
  crossAttentionPlugin,
  selfAttentionPlugin,
];
