// A report of a study on the disk, and the Chromium that opens it.
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { tableSpec } from "@merclab/runner";
import { compileTable, createReport, type ReportSources, readStudyMaterial } from "../src/index.ts";
import type { MadeUpStudy } from "./stored-study.ts";

export const TABLE = tableSpec.parse({ columns: [], metrics: ["weighted-f1", "accuracy"] });

/** The report of what `storeStudy` stored, and the table that it holds. */
export async function reportOf(
  runs: string,
  { experiment = "made-up" }: Partial<MadeUpStudy>,
  sources: Partial<ReportSources> = {},
) {
  const material = await readStudyMaterial(runs, experiment);
  const table = compileTable(TABLE, material.trials, { experiment, command: () => material.study.command });
  const nothing = () => Promise.resolve(undefined);
  const report = await createReport({ material, tables: [table], speakersOf: nothing, shownOf: nothing, ...sources });
  return { report, table, material };
}

export function writePage(html: string): { readonly url: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "merclab-page-"));
  const file = join(folder, "report.html");
  writeFileSync(file, html);
  return { url: `file://${file}`, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Named by MERCLAB_CHROMIUM, or on the PATH. */
export function findChromium(environment = process.env): string | undefined {
  const named = environment.MERCLAB_CHROMIUM;
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const candidates = named ? [named] : folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
