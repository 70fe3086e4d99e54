// Text that went through the wrong encoding on its way, put right where it is certain what was meant.

/** The 27 characters that Windows-1252 has at 0x80 to 0x9f; the five places without one stay as they are. */
const WINDOWS_1252 = new TextDecoder("windows-1252");

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
  return text.replace(/[\x80-\x9f]/g, (character) => WINDOWS_1252.decode(Buffer.from(character, "latin1")));
}
