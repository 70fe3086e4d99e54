// Text as pickles write it: UTF-8, raw-unicode-escape (protocol 0), and Python 2's quoted byte strings.
import { PickleError } from "./errors.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws PickleError `damaged` when the bytes are no UTF-8 */
export function utf8(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (text.includes("\ufffd")) {
    try {
      return strict.decode(bytes);
    } catch (cause) {
      throw new PickleError("damaged", "a text is not UTF-8, or holds half of a surrogate pair", { cause });
    }
  }
  return text;
}

/** Protocol 0 text: latin1 with \uXXXX and \UXXXXXXXX. */
export function rawUnicode(line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
    const point = Number.parseInt(short ?? long ?? "", 16);
    if (point > 0x10ffff) {
      throw new PickleError("damaged", `a text names character ${point}, which does not exist`);
    }
    return String.fromCodePoint(point);
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Protocol 0 byte strings: `'…'` with backslash escapes; one character per byte. */
export function quotedString(line: string): string {
  const quote = line[0];
  if (line.length < 2 || (quote !== "'" && quote !== '"') || line.at(-1) !== quote) {
    throw new PickleError("damaged", "a quoted string does not end as it begins");
  }
  return line.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[\s\S])/g, (whole, code: string) => {
    if (code.startsWith("x") && code.length === 3) {
      return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    }
    return /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8) & 255) : (ESCAPES[code] ?? whole);
  });
}
