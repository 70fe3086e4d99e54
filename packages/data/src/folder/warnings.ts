// What is odd about a corpus, but no reason not to train on it. Returned, never printed.
import { outputNames, type Split, type Task } from "@merclab/core";

/** Names the classes or labels that a part has no example of; none, no warning. */
export function absentClasses(split: Split, counts: readonly number[], task: Task): string[] {
  if (task.type === "regression") {
    return [];
  }
  const absent = outputNames(task)
    .filter((_, label) => (counts[label] ?? 0) === 0)
    .join(", ");
  if (absent === "") {
    return [];
  }
  const what = task.type === "multi-label" ? "labels" : "classes";
  const consequence = split === "train" ? ", so they cannot be learned" : "";
  return [`${what} without an example in ${split}${consequence}: ${absent}`];
}
