// What the test part may share with training: utterances, speakers, and the labels that extractors have seen.
import { SPLITS, type Split } from "@merclab/core";
import type { FolderDescription } from "./description.ts";
import type { DialogueRows } from "./dialogues.ts";
import type { Problem } from "./problems.ts";
import type { PartTable } from "./rows.ts";

/** Speakers of an evaluated part who also speak in training. */
export interface SharedSpeakers {
  readonly split: Split;
  readonly shared: number;
  readonly speakers: number;
}

/** None where speakers are roles (two or fewer names, as M and F) or unknown. */
export function sharedSpeakers(dialogues: readonly DialogueRows[], described: boolean): readonly SharedSpeakers[] {
  const names = (split: Split): Set<string> =>
    new Set(
      dialogues
        .filter((dialogue) => dialogue.split === split)
        .flatMap(({ utterances }) => utterances.map(({ speaker }) => speaker)),
    );
  const train = names("train");
  const all = new Set(SPLITS.flatMap((split) => [...names(split)]));
  const numbered = [...all].every((name) => /^(speaker )?\d+$/.test(name));
  if (!described || all.size <= 2 || numbered) {
    return [];
  }
  return (["valid", "test"] as const).map((split) => {
    const own = [...names(split)];
    return { split, shared: own.filter((name) => train.has(name)).length, speakers: own.length };
  });
}

/** Utterances of test or validation whose vectors equal those of one in training, in every modality. */
export function repeatedAcrossParts(
  dialogues: readonly DialogueRows[],
  rowPrints: readonly (readonly (string | undefined)[])[],
): string[] {
  if (rowPrints.length === 0) {
    return [];
  }
  const print = (row: number): string | undefined => {
    const parts = rowPrints.map((prints) => prints[row]);
    return parts.includes(undefined) ? undefined : parts.join();
  };
  const train = new Map<string, string>();
  const told: string[] = [];
  const each = (split: Split, visit: (key: string, id: string) => void): void => {
    for (const { utterances } of dialogues.filter((dialogue) => dialogue.split === split)) {
      for (const { row, id } of utterances) {
        const key = print(row);
        if (key !== undefined) {
          visit(key, id);
        }
      }
    }
  };
  each("train", (key, id) => train.set(key, id));
  for (const split of ["valid", "test"] as const) {
    let count = 0;
    let first = "";
    each(split, (key, id) => {
      const twin = train.get(key);
      if (twin !== undefined) {
        count++;
        first ||= `"${id}" equals "${twin}"`;
      }
    });
    if (count > 0) {
      told.push(`${count} utterances of ${split} have the features of one in train in every modality: ${first}`);
    }
  }
  return told;
}

/** Sentences of at least this many words are not said twice by chance. */
const LONG_SENTENCE = 6;

/** Long sentences of test or validation that occur in training, too. */
export function repeatedSentences(dialogues: readonly DialogueRows[], sentences: readonly string[]): string[] {
  const key = (row: number): string | undefined => {
    const words = (sentences[row] ?? "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    return words.length < LONG_SENTENCE ? undefined : words.join(" ");
  };
  const rowsOf = (split: Split): number[] =>
    dialogues
      .filter((dialogue) => dialogue.split === split)
      .flatMap(({ utterances }) => utterances.map(({ row }) => row));
  const train = new Set(rowsOf("train").map(key));
  return (["valid", "test"] as const).flatMap((split) => {
    const repeated = rowsOf(split).filter((row) => key(row) !== undefined && train.has(key(row)));
    const [first] = repeated;
    return first === undefined
      ? []
      : [
          `${repeated.length} sentences of ${LONG_SENTENCE} words and more of ${split} are in train, too: "${sentences[first]}"`,
        ];
  });
}

/** Features whose extractor was trained on labels of utterances that are to be tested on. */
export function fittedOnTest(
  { modalities }: FolderDescription,
  dialogues: readonly DialogueRows[],
  tables: readonly PartTable[],
  describedIn: string,
  problems: Problem[],
): string[] {
  const warnings: string[] = [];
  for (const [name, { fittedOn }] of Object.entries(modalities)) {
    if (fittedOn === undefined) {
      continue;
    }
    const cells = "column" in fittedOn ? columnOf(tables, fittedOn.column) : undefined;
    if ("column" in fittedOn && cells === undefined) {
      problems.push({
        message: `missing column "${fittedOn.column}" (modalities.${name}.fittedOn)`,
        where: describedIn,
      });
      continue;
    }
    const seen = (split: Split, row: number): boolean =>
      "parts" in fittedOn ? fittedOn.parts.includes(split) : fittedOn.values.includes(cells?.[row] ?? "");
    for (const split of ["valid", "test"] as const) {
      const own = dialogues.filter((dialogue) => dialogue.split === split);
      const rows = own.flatMap(({ utterances, official = split }) => utterances.map(({ row }) => ({ row, official })));
      const count = rows.filter(({ row, official }) => seen(official, row)).length;
      if (count === 0) {
        continue;
      }
      const message = `${name}: the extractor was trained on labels of ${count} of ${rows.length} utterances of ${split}`;
      if (split === "test") {
        problems.push({
          message,
          where: describedIn,
          hint: "Test on a part that it has not seen, or leave the modality out.",
        });
      } else {
        warnings.push(`${message}: validation scores are too good`);
      }
    }
  }
  return warnings;
}

/** Cells of a column over all tables, by row. */
export function columnOf(tables: readonly PartTable[], column: string): string[] | undefined {
  const cells: string[] = [];
  for (const { table } of tables) {
    const at = table.header.indexOf(column);
    if (at < 0) {
      return undefined;
    }
    cells.push(...table.rows.map((row) => row.cells[at] ?? ""));
  }
  return cells;
}
