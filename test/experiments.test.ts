// Every experiment that comes with merclab, small, on a synthetic corpus of ten dialogues: it trains each of its cells
// and prints its tables.
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compileTable } from "../packages/report/src/index.ts";
import { readExperiment } from "../packages/runner/src/index.ts";
import { createWorkplace, trialsOf } from "./support/cli.ts";

const FOLDER = resolve(import.meta.dirname, "../experiments");
const namesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.replace(/\.yaml$/, ""));
const EXPERIMENTS = namesIn(FOLDER);
const PAPER = namesIn(resolve(FOLDER, "paper")).map((name) => `paper/${name}`);
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

test("a paper's table runs the study that it is about, and shows what was published", async () => {
  const { code, stdout, stderr } = await place.exp("run", "paper/ada2i-table-3", "encoder.dim=8", ...SMALL);
  expect(code, stderr).toBe(0);
  expect(trialsOf(place.folder, "ada2i-modalities").length).toBeGreaterThan(0);
  expect(stdout).toMatch(/Ada2I +68\.97/);
}, 120_000);

test.each(PAPER)("%s is about a study here, and each published number has its place and source", async (name) => {
  const { name: study, view } = await readExperiment(name, [FOLDER]);
  expect(EXPERIMENTS).toContain(study);
  for (const spec of view?.tables ?? []) {
    const cells = compileTable(spec, []).cells.flat();
    const numbers = (spec.published?.values ?? []).flatMap((value) =>
      (spec.metrics ?? []).filter((name) => name in value),
    );
    const printed = cells.filter(({ source }) => source !== undefined);
    expect(printed).toHaveLength(numbers.length);
  }
});
