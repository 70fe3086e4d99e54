// MELD's official tables: one csv per part, transcripts without features. The parts lie beside each other.
import { SPLITS, type Split } from "@merclab/core";
import type { Table } from "../../folder/table.ts";
import { MELD } from "../corpora.ts";
import type { ImportedDialogue, ImportedUtterance } from "../corpus.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";

const FILES: Readonly<Record<Split, RegExp>> = {
  train: /^train_sent_emo(_dya)?\.csv$/,
  valid: /^dev_sent_emo(_dya)?\.csv$/,
  test: /^test_sent_emo(_dya)?\.csv$/,
};
const COLUMNS = ["Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"];

export const meldCsv: Layout = {
  name: "meld-csv",
  summary:
    "train_sent_emo.csv, dev_…, test_… (MELD, MELD-Dyadic): any one of the three; the others are taken from beside it",
  mismatch({ table }) {
    if (table === undefined) {
      return "it is no csv table";
    }
    const missing = COLUMNS.filter((column) => !table.header.includes(column));
    return missing.length === 0 ? undefined : `it has no column ${missing.join(", ")}`;
  },
  async read({ table, path, beside }) {
    const own = path.split(/[\\/]/).at(-1) ?? "";
    const part = SPLITS.find((split) => FILES[split].test(own));
    if (part === undefined) {
      throw new LayoutError(
        `its name tells no part: expected train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv, got ${own}`,
      );
    }
    const tables = new Map<Split, Table>([[part, table as Table]]);
    const notes: string[] = [];
    for (const split of SPLITS) {
      const name = own.replace(/^(train|dev|test)/, split === "valid" ? "dev" : split);
      const other = split === part ? undefined : (await beside(name))?.table;
      if (other !== undefined) {
        tables.set(split, other);
      } else if (split !== part) {
        notes.push(`${name} is not beside it: the ${split} part is empty`);
      }
    }
    const dialogues: ImportedDialogue[] = [];
    for (const split of SPLITS) {
      const found = tables.get(split);
      if (found !== undefined) {
        dialogues.push(...readPart(found, split));
        if (found.encoding !== "utf-8") {
          notes.push(`the ${split} part is in Windows-1252 and was decoded as such`);
        }
        if (found.repairedCells > 0) {
          notes.push(
            `${found.repairedCells} cells of the ${split} part held Windows-1252 characters and were put right`,
          );
        }
      }
    }
    return {
      name: "meld",
      dialogues,
      modalities: [],
      targets: [
        { column: "emotion", classes: MELD.classes, as: "name" },
        { column: "sentiment", classes: ["neutral", "positive", "negative"], as: "name" },
      ],
      speakers: "per-dialogue",
      notes: [...notes, "the tables have no features: --features adds files, exp data text makes text features"],
    };
  },
};

function readPart(table: Table, split: Split): ImportedDialogue[] {
  const at = Object.fromEntries(COLUMNS.map((column) => [column, table.header.indexOf(column)]));
  const groups = new Map<string, (ImportedUtterance & { readonly order: number })[]>();
  for (const { cells, line } of table.rows) {
    const cell = (column: string): string => cells[at[column] ?? -1] ?? "";
    const order = Number(cell("Utterance_ID"));
    const [dialogue, emotion] = [cell("Dialogue_ID"), cell("Emotion")];
    if (!Number.isInteger(order) || dialogue === "" || !MELD.classes.includes(emotion)) {
      throw new LayoutError(
        `${table.file}:${line}: expected a dialogue, an utterance number and an emotion of ${MELD.classes.join(", ")}; got "${dialogue}", "${cell("Utterance_ID")}", "${emotion}"`,
      );
    }
    const id = `${split}_dia${dialogue}`;
    const group = groups.get(id) ?? [];
    groups.set(id, group);
    group.push({
      id: `${id}_utt${order}`,
      speaker: cell("Speaker"),
      sentence: cell("Utterance"),
      cells: { emotion, sentiment: cell("Sentiment") },
      order,
    });
  }
  return [...groups].map(([id, group]) => ({
    id,
    split,
    utterances: group.sort((a, b) => a.order - b.order).map(({ order: _, ...utterance }) => utterance),
  }));
}
