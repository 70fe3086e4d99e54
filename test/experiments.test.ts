// Every experiment that comes with merclab, small, on a synthetic corpus of ten dialogues: it trains each of its cells
// and prints its tables.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compileTables } from "../packages/cli/src/tables.ts";
import { readExperiment } from "../packages/runner/src/index.ts";
import { createWorkplace, trialsOf } from "./support/cli.ts";

const FOLDER = resolve(import.meta.dirname, "../experiments");
const EXPERIMENTS = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => file.replace(/\.yaml$/, ""));
const PAPER = readdirSync(resolve(FOLDER, "paper")).map((file) => `paper/${file.replace(/\.yaml$/, "")}`);
const SMALL = [
  "datasets=[synthetic]",
  "dataset.dialogues.train=6",
  "dataset.dialogues.valid=2",
  "dataset.dialogues.test=2",
  "dataset.lengths=[2,4]",
  "trainer.epochs=1",
  "--engine",
  "wasm",
  "--seeds",
  "1",
];

/** Ranks need a width above them. */
const WIDTHS: Readonly<Record<string, number>> = { "lmam-ranks": 128 };

const place = createWorkplace();
afterAll(place.remove);

test.each(EXPERIMENTS)(
  "%s",
  async (experiment) => {
    const { code, stdout, stderr } = await place.exp(
      "run",
      experiment,
      `encoder.dim=${WIDTHS[experiment] ?? 8}`,
      ...SMALL,
    );
    expect(code, stderr).toBe(0);
    const trials = trialsOf(place.folder, experiment);
    expect(trials.length).toBeGreaterThan(0);
    expect(trials.filter(({ isDone }) => !isDone)).toEqual([]);
    expect(stdout.match(/ 1 +\d+\.\d\d/g)?.length, stdout).toBeGreaterThanOrEqual(trials.length);
  },
  120_000,
);

test.each(PAPER)("%s prints published numbers beside those of its study", async (view) => {
  const { name, view: found } = await readExperiment(view, [FOLDER]);
  expect(EXPERIMENTS).toContain(name);
  const study = await compileTables(join(place.folder, "runs"), name, { view: found });
  for (const table of study) {
    expect(table.columns.map(({ kind }) => kind)).toContain("published");
    expect(table.cells.flat().some(({ state }) => state === "filled" || state === "not-published")).toBe(
      table.rows.length > 0,
    );
  }
});
