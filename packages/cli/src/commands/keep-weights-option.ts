// Whether trials store their weights; it changes no number.
import { Option } from "commander";

const KINDS = ["best", "none"] as const;
export type KeepWeights = (typeof KINDS)[number];

export function keepWeightsOption(): Option {
  return new Option("--keep-weights <which>", "weights that a trial stores: those of the epoch chosen on validation")
    .choices([...KINDS])
    .default("best" satisfies KeepWeights);
}
