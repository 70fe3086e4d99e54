// Reads a described folder as it is stored: tables, dialogues, features. Everything that is wrong is collected.
import { SPLITS, type Split } from "@merclab/core";
import type { DescribedFolder } from "./described-folder.ts";
import type { ObservedDescription } from "./description.ts";
import { type DialogueRows, groupDialogues } from "./dialogues.ts";
import { type Features, readFeatures } from "./features.ts";
import { findFile } from "./paths.ts";
import type { Problem } from "./problems.ts";
import { type PartTable, readRows } from "./rows.ts";
import { isTable, readTable } from "./table.ts";

/** What could be read; parts may be missing where there are problems. */
export interface Corpus {
  /** Before a validation part is drawn. Undefined when the tables are unusable. */
  readonly dialogues: readonly DialogueRows[] | undefined;
  /** Undefined where one could not be read. */
  readonly tables: readonly PartTable[] | undefined;
  /** In the order asked for, unusable ones left out. */
  readonly features: readonly Features[];
  readonly problems: readonly Problem[];
}

/**
 * @param modalities names that the description has
 * @param streamed whether features stay in their files
 */
export async function readCorpus(
  described: DescribedFolder<ObservedDescription>,
  modalities: readonly string[],
  streamed: boolean,
): Promise<Corpus> {
  const { folder, description, describedIn } = described;
  const problems: Problem[] = [];
  const tables = await readTables(described, problems);
  const rows = tables && readRows(description, tables, modalities, problems);
  const dialogues = rows && groupDialogues(description, rows.utterances, describedIn, problems);
  if (dialogues !== undefined && description.labels !== undefined) {
    checkParts(described, dialogues, problems);
  }
  const tableRows = tables?.map(({ table }) => table.rows.length);
  const features: Features[] = [];
  for (const name of modalities) {
    const read = await readFeatures(folder, description, name, tableRows, rows?.present[name], problems, streamed);
    if (read !== undefined) {
      features.push(read);
    }
  }
  return { dialogues, tables, features, problems };
}

async function readTables(
  { folder, description }: DescribedFolder<ObservedDescription>,
  problems: Problem[],
): Promise<PartTable[] | undefined> {
  const { utterances } = description;
  const files: [string, Split | undefined][] =
    typeof utterances === "string"
      ? [[utterances, undefined]]
      : SPLITS.flatMap((split): [string, Split][] => {
          const file = utterances[split];
          return file === undefined ? [] : [[file, split]];
        });
  const tables: PartTable[] = [];
  for (const [file, split] of files) {
    const path = await findFile(folder, file);
    if (typeof path !== "string") {
      problems.push(path);
      continue;
    }
    const table = await readTable(path);
    if (isTable(table)) {
      tables.push({ table, split });
    } else {
      problems.push(...table);
    }
  }
  return tables.length === files.length ? tables : undefined;
}

function checkParts(
  { description, describedIn }: DescribedFolder<ObservedDescription>,
  dialogues: readonly DialogueRows[],
  problems: Problem[],
): void {
  const has = (split: Split): boolean => dialogues.some((dialogue) => dialogue.split === split);
  for (const split of ["train", "test"] as const) {
    if (!has(split)) {
      problems.push({
        message: `the ${split} part is empty`,
        where: describedIn,
        hint: "Check splits in dataset.yaml.",
      });
    }
  }
  const { splits, utterances, validation } = description;
  const declared =
    validation === "official" ||
    splits?.values?.valid !== undefined ||
    splits?.dialogues?.valid !== undefined ||
    (typeof utterances !== "string" && utterances.valid !== undefined);
  if (declared && !has("valid")) {
    problems.push({ message: "the valid part is empty", where: describedIn });
  }
}
