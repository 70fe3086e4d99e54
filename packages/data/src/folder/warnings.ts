// What is odd about a corpus, but no reason not to train on it. Returned, never printed.
import type { Split } from "@merclab/core";

/** Names the classes that a part has no example of; none, no warning. */
export function absentClasses(split: Split, counts: readonly number[], classes: readonly string[]): string[] {
  const absent = classes.filter((_, label) => (counts[label] ?? 0) === 0).join(", ");
  if (absent === "") {
    return [];
  }
  const consequence = split === "train" ? ", so they cannot be learned" : "";
  return [`classes without an example in ${split}${consequence}: ${absent}`];
}
