// Windows-1252, and text that went through the wrong encoding on its way, put right where it is certain what was meant.

/**
 * The characters of Windows-1252 from 0x80 to 0x9f; five places have none and stay as they are.
 * https://encoding.spec.whatwg.org/index-windows-1252.txt (Node's own decoder takes these bytes for latin1.)
 */
const WINDOWS_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

export function decodeWindows1252(bytes: Buffer): string {
  return mapControls(bytes.toString("latin1"));
}

/**
 * - UTF-8 that was read as latin1 ("donâ\x80\x99t"): what Python 2 pickles hold.
 * - Windows-1252 bytes that became control characters (U+0092 for ’): what old copies of MELD hold.
 *
 * Such control characters mean nothing in text, so nothing else can be meant.
 */
export function repairText(text: string): string {
  if (!/[\x80-\x9f]/.test(text)) {
    return text;
  }
  if (!/[^\0-\xff]/.test(text)) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "latin1"));
    } catch {
      // No UTF-8: single characters it is.
    }
  }
  return mapControls(text);
}

function mapControls(text: string): string {
  return text.replace(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80] ?? character);
}
