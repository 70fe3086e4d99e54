// Table rows to utterances: every cell that the description names is read and checked here.
import { type Split, suggestName } from "@merclab/core";
import type { FolderDescription, ObservedDescription } from "./description.ts";
import { createLabelReader, toNumber } from "./label-reader.ts";
import { addTally, createTally, hit, type Problem } from "./problems.ts";
import type { Table } from "./table.ts";
import { targetColumns } from "./target.ts";

/** A table and, where every part has its own, the part. */
export interface PartTable {
  readonly table: Table;
  readonly split: Split | undefined;
}

export interface Utterance {
  /** Row over all tables, from 0: the row of its features. */
  readonly row: number;
  /** File and line. */
  readonly where: string;
  /** Key of the dialogue: its id, or part/id where every part has its own table. */
  readonly dialogue: string;
  readonly order: number;
  readonly id: string;
  /** "" in a corpus without a speaker column. */
  readonly speaker: string;
  /** One number, or one per label; none where labels are not known. */
  readonly labels: readonly number[];
  /** Undefined where lists of dialogues tell the parts. */
  readonly split: Split | undefined;
}

export interface Rows {
  readonly utterances: readonly Utterance[];
  /** Per modality with a presence column `[rows]`: 1 = observed. */
  readonly present: Readonly<Record<string, Uint8Array>>;
}

/** @returns undefined when columns are missing; other problems leave usable rows behind */
export function readRows(
  description: ObservedDescription,
  tables: readonly PartTable[],
  modalities: readonly string[],
  problems: Problem[],
): Rows | undefined {
  const columns = namedColumns(description, modalities);
  const before = problems.length;
  for (const { table } of tables) {
    checkColumns(table, columns, problems);
  }
  if (problems.length > before) {
    return undefined;
  }
  const total = tables.reduce((sum, { table }) => sum + table.rows.length, 0);
  const present: Record<string, Uint8Array> = {};
  for (const name of modalities) {
    if (description.modalities[name]?.present !== undefined) {
      present[name] = new Uint8Array(total);
    }
  }
  const reader = createRowReader(description, problems);
  const utterances: Utterance[] = [];
  for (const { table, split } of tables) {
    const at = new Map(table.header.map((name, position) => [name, position]));
    table.rows.forEach(({ cells, line }, index) => {
      const cell = (column: string): string => cells[at.get(column) ?? -1] ?? "";
      const where = `${table.file}:${line}`;
      const row = utterances.length;
      utterances.push(reader.utterance(cell, where, row, index, split));
      for (const [name, flags] of Object.entries(present)) {
        flags[row] = reader.presence(cell(description.modalities[name]?.present ?? ""), where);
      }
    });
  }
  reader.finish();
  return { utterances, present };
}

/** Columns that must exist, with the key of dataset.yaml that names them. */
function namedColumns(description: ObservedDescription, modalities: readonly string[]): [string, string][] {
  const { columns, labels, splits, speakers } = description;
  const labelsKey = labels?.type === "multi-label" ? "columns" : "column";
  const named: [string, string | undefined][] = [
    ["columns.dialogue", columns.dialogue],
    ["columns.order", columns.order],
    ["columns.utterance", columns.utterance],
    ...(labels === undefined ? [] : targetColumns(labels)).map((column): [string, string] => [
      `labels.${labelsKey}`,
      column,
    ]),
    ["splits.column", splits?.column],
    ["speakers.column", speakers?.column],
    ...modalities.map((name): [string, string | undefined] => [
      `modalities.${name}.present`,
      description.modalities[name]?.present,
    ]),
  ];
  return named.filter((entry): entry is [string, string] => entry[1] !== undefined);
}

function checkColumns(table: Table, columns: readonly [string, string][], problems: Problem[]): void {
  for (const [key, column] of columns) {
    const found = table.header.filter((name) => name === column).length;
    if (found === 0) {
      const hint = suggestName(column, table.header);
      problems.push({ message: `missing column "${column}" (${key})`, where: `${table.file}:1`, hint });
    } else if (found > 1) {
      problems.push({ message: `column "${column}" (${key}) is there ${found} times`, where: `${table.file}:1` });
    }
  }
}

interface RowReader {
  utterance(
    cell: (column: string) => string,
    where: string,
    row: number,
    index: number,
    split: Split | undefined,
  ): Utterance;
  presence(text: string, where: string): 0 | 1;
  /** Adds what was tallied to the problems. */
  finish(): void;
}

function createRowReader({ columns, labels, splits, speakers }: ObservedDescription, problems: Problem[]): RowReader {
  const noDialogue = createTally();
  const badOrder = createTally();
  const labelReader = labels === undefined ? undefined : createLabelReader(labels);
  const badSplit = createTally();
  const badSpeaker = createTally();
  const badPresence = createTally();
  const parts = splitNames(splits);

  const readSplit = (text: string, where: string): Split | undefined => {
    const split = parts.get(text);
    if (split === undefined) {
      hit(badSplit, where, `unknown part "${text}" in column "${splits?.column}". ${suggestName(text, parts.keys())}`);
    }
    return split;
  };
  const partOf = (cell: (column: string) => string, where: string): Split | undefined => {
    if (splits === undefined) {
      return "test"; // of a folder that is only predicted on
    }
    return splits.column === undefined ? undefined : readSplit(cell(splits.column), where);
  };
  return {
    utterance(cell, where, row, index, tableSplit) {
      const name = cell(columns.dialogue);
      if (name.trim() === "") {
        hit(noDialogue, where, "empty dialogue id");
      }
      const orderText = columns.order === undefined ? String(index) : cell(columns.order);
      const order = toNumber(orderText);
      if (!Number.isFinite(order)) {
        hit(badOrder, where, `"${orderText}" in column "${columns.order}" is not a number`);
      }
      const speaker = speakers === undefined ? "" : cell(speakers.column);
      if (speakers?.values?.includes(speaker) === false || (speakers !== undefined && speaker === "")) {
        hit(badSpeaker, where, `unknown speaker "${speaker}". ${suggestName(speaker, speakers?.values ?? [])}`);
      }
      const dialogue = tableSplit === undefined ? name : `${tableSplit}/${name}`;
      return {
        row,
        where,
        dialogue,
        order,
        id: columns.utterance === undefined ? `${dialogue}/${orderText}` : cell(columns.utterance),
        speaker,
        labels: labelReader?.read(cell, where) ?? [],
        split: tableSplit ?? partOf(cell, where),
      };
    },
    presence(text, where) {
      if (/^(1|1\.0|true)$/i.test(text)) {
        return 1;
      }
      if (!/^(0|0\.0|false)$/i.test(text)) {
        hit(badPresence, where, `expected 1 or 0 in a presence column, got "${text}"`);
      }
      return 0;
    },
    finish() {
      addTally(problems, noDialogue, "row", "Every utterance needs the id of its dialogue.");
      addTally(problems, badOrder, "row");
      labelReader?.finish(problems);
      addTally(problems, badSplit, "row", "splits.values in dataset.yaml tells what the column holds.");
      addTally(problems, badSpeaker, "row");
      addTally(problems, badPresence, "row");
    },
  };
}

/** What the split column may hold, and the part it stands for. */
function splitNames(splits: FolderDescription["splits"]): Map<string, Split> {
  const values = splits?.values ?? { train: ["train"], valid: ["valid"], test: ["test"] };
  return new Map([
    ...values.train.map((text): [string, Split] => [text, "train"]),
    ...(values.valid ?? []).map((text): [string, Split] => [text, "valid"]),
    ...values.test.map((text): [string, Split] => [text, "test"]),
  ]);
}
