// How often trials keep a checkpoint; it changes no number.
import { Option } from "commander";
import { parseSeconds } from "./parse-numbers.ts";

export function checkpointOption(): Option {
  return new Option("--checkpoint-every <seconds>", "training that a crash may cost a trial; 0 = one epoch")
    .default(10)
    .argParser(parseSeconds);
}
