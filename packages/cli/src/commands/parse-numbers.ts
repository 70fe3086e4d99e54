// Numbers on the command line.
import { InvalidArgumentError } from "commander";

/** A whole number from 1, as an argument of an option. */
export function parseCount(text: string): number {
  return wholeFrom(1, text);
}

/** A whole number from 0, as an argument of an option. */
export function parseWhole(text: string): number {
  return wholeFrom(0, text);
}

function wholeFrom(least: number, text: string): number {
  const count = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(count) || count < least) {
    throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
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

/** A port, as an argument of an option. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError("It must be a port, 1 to 65535.");
  }
  return port;
}

/** A whole number from 1, or a share such as 0.5, as an argument of an option. */
export function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === "" || !(share > 0 && (share < 1 || Number.isSafeInteger(share)))) {
    throw new InvalidArgumentError("It must be a share between 0 and 1, such as 0.5, or a whole number from 1.");
  }
  return share;
}
