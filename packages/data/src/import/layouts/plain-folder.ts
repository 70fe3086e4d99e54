// A plain folder: one table of utterances and .npy files with one row per row of it, without a description. Columns are
// known by their usual names.
import type { Split } from "@merclab/core";
import { NdArray } from "@merclab/pickle";
import type { Table } from "../../folder/table.ts";
import { MELD } from "../corpora.ts";
import type { ImportedDialogue, ImportedModality, ImportedUtterance, Target } from "../corpus.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";

const NAMES = {
  dialogue: ["dialogue", "dialogue_id", "dialog_id", "conversation_id", "video_id", "vid"],
  order: ["order", "utterance_no", "utterance_order", "turn"],
  utterance: ["utterance_id", "utt_id"],
  speaker: ["speaker", "speaker_id"],
  split: ["split", "part", "partition", "split_official"],
  text: ["text", "sentence", "transcript", "utterance"],
  label: ["label", "emotion", "sentiment", "class", "label_name", "binary_nonneg", "seven_class"],
} as const;

const PARTS: Readonly<Record<string, Split>> = {
  train: "train",
  valid: "valid",
  val: "valid",
  dev: "valid",
  test: "test",
};

/** More values than this in a label column are no classes. */
const MAX_CLASSES = 32;

export const plainFolder: Layout = {
  name: "plain-folder",
  summary:
    "utterances.csv and .npy files with its rows, no description: columns dialogue, split, label and others by usual names",
  mismatch({ table }) {
    if (table === undefined) {
      return "it is no csv table";
    }
    if (["Dialogue_ID", "Emotion"].every((name) => table.header.includes(name))) {
      return "it is a table of MELD";
    }
    const missing = (["dialogue", "split", "label"] as const).filter((what) => columnsOf(table, what).length === 0);
    return missing.length === 0
      ? undefined
      : `it has no column for ${missing.map((what) => `${what} (${NAMES[what].join(", ")})`).join("; ")}`;
  },
  async read({ table: opened, siblings, beside }) {
    const table = opened as Table;
    const notes: string[] = [];
    const at = (what: keyof typeof NAMES): number => {
      const [first, ...others] = columnsOf(table, what);
      if (first !== undefined && what !== "label") {
        const more = others.length === 0 ? "" : ` (not ${others.map((index) => table.header[index]).join(", ")})`;
        notes.push(`${what} is column ${table.header[first]}${more}`);
      }
      return first ?? -1;
    };
    const columns = {
      dialogue: at("dialogue"),
      order: at("order"),
      utterance: at("utterance"),
      speaker: at("speaker"),
      split: at("split"),
      text: at("text"),
    };
    const labels = columnsOf(table, "label").map((index) => table.header[index] ?? "");
    const targets = labels.flatMap((name) => targetOf(table, name));
    const groups = new Map<
      string,
      { split: Split; rows: { order: number; row: number; utterance: ImportedUtterance }[] }
    >();
    table.rows.forEach(({ cells, line }, row) => {
      const cell = (index: number): string => cells[index] ?? "";
      const id = cell(columns.dialogue);
      const split = PARTS[cell(columns.split)];
      const order = columns.order < 0 ? row : Number(cell(columns.order));
      if (id === "" || split === undefined || !Number.isFinite(order)) {
        throw new LayoutError(
          `${table.file}:${line}: expected a dialogue, a part (${Object.keys(PARTS).join(", ")}) and a place, got "${id}", "${cell(columns.split)}", "${order}"`,
        );
      }
      const group = groups.get(id) ?? { split, rows: [] };
      groups.set(id, group);
      if (group.split !== split) {
        throw new LayoutError(`${table.file}:${line}: dialogue "${id}" is in two parts, ${group.split} and ${split}`);
      }
      const utterance = {
        id: columns.utterance < 0 ? `${id}/${order}` : cell(columns.utterance),
        speaker: columns.speaker < 0 ? "" : cell(columns.speaker),
        cells: Object.fromEntries(labels.map((name) => [name, cell(table.header.indexOf(name))])),
        ...(columns.text < 0 ? {} : { sentence: cell(columns.text) }),
      };
      group.rows.push({ order, row, utterance });
    });
    const sorted = [...groups].map(([id, { split, rows }]) => ({
      id,
      split,
      rows: rows.sort((a, b) => a.order - b.order),
    }));
    const modalities: ImportedModality[] = [];
    for (const name of siblings.filter((file) => file.endsWith(".npy"))) {
      const value = (await beside(name))?.value;
      const fits =
        value instanceof NdArray &&
        value.dtype.kind === "f" &&
        value.shape.length === 2 &&
        value.shape[0] === table.rows.length;
      if (!fits) {
        notes.push(`${name} was left out: it is not one row of floating-point numbers per utterance`);
        continue;
      }
      const width = value.shape[1] ?? 0;
      modalities.push({
        name: name
          .slice(0, -4)
          .replace(/[^\w-]/g, "-")
          .replace(/^(?![A-Za-z])/, "m"),
        width,
        read(dialogue) {
          const rows = sorted[dialogue]?.rows ?? [];
          const out = new Float32Array(rows.length * width);
          rows.forEach(({ row }, place) => {
            out.set(value.readFloat32(row * width, (row + 1) * width), place * width);
          });
          return out;
        },
      });
    }
    const speakers = new Set(table.rows.map(({ cells }) => cells[columns.speaker] ?? ""));
    return {
      name: "plain-folder",
      dialogues: sorted.map(
        ({ id, split, rows }): ImportedDialogue => ({ id, split, utterances: rows.map(({ utterance }) => utterance) }),
      ),
      modalities,
      targets,
      mustChoose: targets.length > 1,
      speakers: columns.speaker < 0 || speakers.size <= 1 ? "none" : speakers.size > 16 ? "per-dialogue" : "corpus",
      notes,
    };
  },
};

/** Columns by their usual names, in the order of those names. */
function columnsOf(table: Table, what: keyof typeof NAMES): number[] {
  const names = table.header.map((name) => name.trim().toLowerCase());
  return NAMES[what].flatMap((name) => (names.includes(name) ? [names.indexOf(name)] : []));
}

function targetOf(table: Table, column: string): Target[] {
  const at = table.header.indexOf(column);
  const values = [...new Set(table.rows.map(({ cells }) => cells[at] ?? ""))];
  if (values.length < 2 || values.length > MAX_CLASSES || values.includes("")) {
    return [];
  }
  const numbers = values.every((value) => Number.isInteger(Number(value)));
  const meld = values.every((value) => MELD.classes.includes(value));
  const classes = meld ? MELD.classes : values.sort((a, b) => (numbers ? Number(a) - Number(b) : a < b ? -1 : 1));
  return [{ column, classes, as: "name" }];
}
