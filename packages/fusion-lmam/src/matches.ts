// Who is matched with whom: a match is one matching weight with the modalities whose rows query and those whose rows
// are memory. Together the matches of a mode cover each of its pairs once.
import { MerclabError } from "@merclab/core";
import type { LmamOptions } from "./options.ts";

export interface Match {
  /** What the names of this match's parameters end with: "", ".audio" (query) or ".audio.text" (query, memory). */
  readonly suffix: string;
  readonly queries: readonly string[];
  readonly memories: readonly string[];
}

/** The matches of a mode and a way of sharing. @throws MerclabError `combination` when the anchor is no modality */
export function planMatches(
  { mode, sharing, anchor }: Pick<LmamOptions, "mode" | "sharing" | "anchor">,
  modalities: readonly string[],
): Match[] {
  const anchors = anchor === null ? [] : [anchor];
  if (mode !== "allPairs" && !anchors.some((name) => modalities.includes(name))) {
    throw new MerclabError("combination", `lmam: the anchor "${anchor}" is none of the encoder's modalities`, {
      hint: `Set lmam's anchor to one of: ${modalities.join(", ")}; or use mode allPairs, which has none.`,
    });
  }
  const queries = mode === "anchorQuery" ? anchors : modalities;
  const memories = mode === "anchorMemory" ? anchors : modalities;
  switch (sharing) {
    case "all":
      return [{ suffix: "", queries, memories }];
    case "perQueryModality":
      return queries.map((query) => ({ suffix: `.${query}`, queries: [query], memories }));
    case "perPair":
      return queries.flatMap((query) =>
        memories.map((memory) => ({ suffix: `.${query}.${memory}`, queries: [query], memories: [memory] })),
      );
  }
}
