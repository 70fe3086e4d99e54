// Numbers of things on the command line.
import { InvalidArgumentError } from "commander";

/** A whole number from 1, as an argument of an option. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new InvalidArgumentError("It must be a whole number from 1.");
  }
  return count;
}
