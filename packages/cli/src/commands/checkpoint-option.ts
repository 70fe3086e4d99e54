// How often trials keep a checkpoint; it changes no number.
import { InvalidArgumentError, Option } from "commander";

export function checkpointOption(): Option {
  return new Option("--checkpoint-every <seconds>", "training that a crash may cost a trial; 0 = one epoch")
    .default(10)
    .argParser((text) => {
      const seconds = Number(text);
      if (text.trim() === "" || !(seconds >= 0)) {
        throw new InvalidArgumentError("It must be a number of seconds, 0 or more.");
      }
      return seconds;
    });
}
