// A trial in a few words: "iemocap  lmam (rank 4)  seed 2".
import type { TrialSpec } from "@merclab/runner";

export function trialLabel({ cell, seed }: Pick<TrialSpec, "cell" | "seed">): string {
  const { dataset, ...axes } = cell;
  const parts = Object.entries(axes).map(([key, value]) => {
    const path = key.split(".");
    return path.length === 1 ? String(value) : `${path.at(-1)} ${String(value)}`;
  });
  return [String(dataset), ...parts, `seed ${seed}`].join("  ");
}
