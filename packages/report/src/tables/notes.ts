// Footnotes: equal texts share a mark, marks follow the order of reading.
import type { TableNote } from "./table.ts";

export interface Notes {
  /** The mark of a text to print beside a cell. */
  mark(text: string): string;
  /** A note about the whole table. */
  add(text: string): void;
  /** Those with marks, then those without. */
  list(): TableNote[];
}

export function createNotes(): Notes {
  const marks = new Map<string, string>();
  const whole: string[] = [];
  return {
    mark: (text) => {
      const mark = marks.get(text) ?? letters(marks.size);
      marks.set(text, mark);
      return mark;
    },
    add: (text) => {
      whole.push(text);
    },
    list: () => [...[...marks].map(([text, mark]) => ({ mark, text })), ...whole.map((text) => ({ text }))],
  };
}

/** a, …, z, aa, ab, … */
function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : letters(Math.floor(index / 26) - 1) + last;
}
