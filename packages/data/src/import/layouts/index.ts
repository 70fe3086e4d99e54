// All layouts, and the question which of them a file has.
import { MerclabError, nearestName } from "@merclab/core";
import { describeValue } from "@merclab/pickle";
import type { ImportSource, Layout } from "../layout.ts";
import { frameLayouts } from "./frames.ts";
import { gcnetLayouts } from "./gcnet.ts";
import { keyedLayouts } from "./keyed.ts";
import { meldCsv } from "./meld-csv.ts";
import { otherLayouts } from "./others.ts";
import { bcLstm } from "./padded.ts";
import { plainFolder } from "./plain-folder.ts";
import { tupleLayouts } from "./tuples.ts";

export const LAYOUTS: readonly Layout[] = [
  ...tupleLayouts,
  ...keyedLayouts,
  ...frameLayouts,
  ...gcnetLayouts,
  bcLstm,
  meldCsv,
  plainFolder,
  ...otherLayouts,
];

/** @throws MerclabError `config` for unknown names, `data` when the file is not of this layout */
export function layoutByName(name: string, source: ImportSource): Layout {
  const layout = LAYOUTS.find((each) => each.name === name);
  if (layout === undefined) {
    const near = nearestName(
      name,
      LAYOUTS.map((each) => each.name),
    );
    throw new MerclabError("config", `unknown layout "${name}"`, {
      where: "--as",
      hint: `${near === undefined ? "" : `Did you mean "${near}"? `}exp data layouts lists all.`,
    });
  }
  const reason = layout.mismatch(source);
  if (reason !== undefined) {
    throw new MerclabError("data", `not of layout ${name}: ${reason}`, {
      where: source.path,
      hint: `The file is ${describe(source)}.`,
    });
  }
  return layout;
}

/** @throws MerclabError `data` when no layout fits, or more than one: nothing is guessed */
export function detectLayout(source: ImportSource): Layout {
  const fitting = LAYOUTS.filter((layout) => layout.mismatch(source) === undefined);
  const [layout] = fitting;
  if (layout !== undefined && fitting.length === 1) {
    return layout;
  }
  if (layout === undefined) {
    throw new MerclabError("data", "no known layout fits", {
      where: source.path,
      hint: `The file is ${describe(source)}. --as NAME says why one does not fit; exp data layouts lists all.`,
    });
  }
  throw new MerclabError("data", `several layouts fit: ${fitting.map(({ name }) => name).join(", ")}`, {
    where: source.path,
    hint: "Say which one it is with --as NAME.",
  });
}

function describe({ value, table }: ImportSource): string {
  return table === undefined ? describeValue(value, 1) : `a table with columns ${table.header.slice(0, 12).join(", ")}`;
}
