// Numbers on the command line.
import { InvalidArgumentError } from "commander";

/** A whole number from 1, as an argument of an option. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new InvalidArgumentError("It must be a whole number from 1.");
  }
  return count;
}

/** A number of seconds from 0, as an argument of an option. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0) {
    throw new InvalidArgumentError("It must be a number of seconds, 0 or more.");
  }
  return seconds;
}

/** A whole number from 0, as an argument of an option. */
export function parseSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(seed) || seed < 0) {
    throw new InvalidArgumentError("It must be a whole number from 0.");
  }
  return seed;
}
