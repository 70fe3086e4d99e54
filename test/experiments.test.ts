// Every experiment that comes with merclab, small, on a synthetic corpus of ten dialogues: it trains each of its cells
// and prints its tables.
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createWorkplace, trialsOf } from "./support/cli.ts";

const FOLDER = resolve(import.meta.dirname, "../experiments");
const EXPERIMENTS = readdirSync(FOLDER).map((file) => file.replace(/\.yaml$/, ""));
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
