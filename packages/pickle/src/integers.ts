// Python's integers have no upper bound; here they are numbers, or bigints where a number would lose digits.
import { PickleError } from "./errors.ts";

/** Longest integer that is read, in bytes. */
const MAX_BYTES = 1024;

/** Two's complement, little-endian. @throws PickleError `limit` beyond 1024 bytes */
export function longFromBytes(bytes: Buffer): number | bigint {
  const { length } = bytes;
  checkLength(length, MAX_BYTES);
  if (length === 0) {
    return 0;
  }
  if (length <= 6) {
    return bytes.readIntLE(0, length);
  }
  const magnitude = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
  return narrow(BigInt.asIntN(length * 8, magnitude));
}

/** `123`, `-5`, `123L`. */
export function longFromText(line: string): number | bigint {
  const text = line.replace(/L$/, "").trim();
  checkLength(text.length, MAX_BYTES * 2);
  if (!/^[+-]?\d+$/.test(text)) {
    throw new PickleError("damaged", `expected an integer, got "${text.slice(0, 40)}"`);
  }
  return narrow(BigInt(text.replace(/^\+/, "")));
}

/** Protocol 0: `00` and `01` are truth values. */
export function intFromText(line: string): number | bigint | boolean {
  return line === "00" ? false : line === "01" ? true : longFromText(line);
}

export function floatFromText(line: string): number {
  const text = line.trim();
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  const value =
    special === null ? Number(text) : /^n/i.test(special[2] ?? "") ? Number.NaN : Number(`${special[1]}Infinity`);
  if (text === "" || (special === null && Number.isNaN(value))) {
    throw new PickleError("damaged", `expected a number, got "${text.slice(0, 40)}"`);
  }
  return value;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function checkLength(length: number, most: number): void {
  if (length > most) {
    throw new PickleError("limit", `an integer of ${length} bytes is longer than any in feature files`);
  }
}
