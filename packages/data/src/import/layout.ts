// A layout: how one family of files is recognised and read.
import type { PickleValue } from "@merclab/pickle";
import type { Table } from "../folder/table.ts";
import type { ImportedCorpus } from "./corpus.ts";

export interface ImportSource {
  readonly path: string;
  readonly value: PickleValue;
  /** Of a csv file. */
  readonly table: Table | undefined;
  /** Names of the other files of its folder. */
  readonly siblings: readonly string[];
  /** Opens another file of the same folder; undefined where there is none. Stays open as long as this one. */
  readonly beside: (name: string) => Promise<Pick<ImportSource, "value" | "table"> | undefined>;
}

export interface ImportOptions {
  /** What becomes of RoBERTa's four layers. */
  readonly textLayers: "first" | "mean" | "concat" | "separate";
}

export interface Layout {
  readonly name: string;
  /** One line: files and methods that use it. */
  readonly summary: string;
  /** Why a file is not of this layout; undefined when it is. Looks at a few values only. */
  mismatch(source: ImportSource): string | undefined;
  /** @throws LayoutError */
  read(source: ImportSource, options: ImportOptions): ImportedCorpus | Promise<ImportedCorpus>;
}
