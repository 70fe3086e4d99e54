// The real command on tasks other than single-label classes: from the experiment file to tables, on made-up dialogues
// and on a folder whose labels are scores.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FOLDER } from "../packages/runner/test/tiny-folder.ts";
import { createWorkplace, trialsOf, type Workplace } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) {
    place.remove();
  }
});

function workplace(files: Parameters<Workplace["write"]>[0]): Workplace {
  const place = createWorkplace();
  places.push(place);
  place.write(files);
  return place;
}

const SMALL = `base:
  encoder: linear
  encoder.dim: 8
  fusion: concat
  engine: cpu
  trainer.epochs: 2
  dataset.dialogues: { train: 6, valid: 3, test: 3 }
  dataset.lengths: [2, 4]
`;

const MADE_UP = `title: Made up
datasets: [synthetic-humour, synthetic-sentiment, synthetic-emotion-set]
${SMALL}`;

const SCORES = ["-3", "2.5", "0", "0.4", "1.5", "-1.75", "3", "-0.2", "-2.5", "0.5"];

/** The tiny folder with a score, and two labels that may hold at once, per utterance. */
const table = (change: (cells: readonly string[], row: number) => readonly string[] = (cells) => cells) =>
  FOLDER["utterances.csv"]
    .trimEnd()
    .split("\n")
    .map((line, at) =>
      [line, ...(at === 0 ? ["score", "glad", "sad"] : change([SCORES[at - 1] ?? "", "1", "0"], at - 1))].join(),
    )
    .join("\n");

const DESCRIPTION = FOLDER["dataset.yaml"].replace(
  "splits:",
  `targets:
  score: { type: regression, column: score, range: [-3, 3] }
  seven: { column: score, as: { rounded: [-3, 3] } }
  set: { type: multi-label, columns: [glad, sad] }
splits:`,
);

const SCORED = `title: Scored
datasets: [folder]
base:
  dataset.path: tiny
  encoder: linear
  encoder.dim: 8
  fusion: concat
  engine: cpu
  trainer.epochs: 2
matrix:
  dataset.target: [score, seven]
`;

const folderFiles = (utterances = table()) => ({
  "experiments/scored.yaml": SCORED,
  "data/tiny/dataset.yaml": DESCRIPTION,
  "data/tiny/utterances.csv": utterances,
});

describe.concurrent("exp run", () => {
  test(
    "trains a binary task, a score and several labels, and prints a table for each",
    async () => {
      const place = workplace({ "experiments/made.yaml": MADE_UP });
      const { code, stdout, stderr } = await place.exp("run", "made", "--jobs", "1");
      expect([code, stderr]).toEqual([0, expect.stringContaining("SYNTHETIC DATA")]);
      expect(stderr).toMatch(/✓ synthetic-sentiment {2}seed 0 {2}mae \d\.\d{3} at epoch/);
      expect(stderr).toMatch(/✓ synthetic-emotion-set {2}seed 0 {2}macro-f1 \d+\.\d\d at epoch/);
      for (const title of ["Made up (single-label)", "Made up (regression)", "Made up (multi-label)"]) {
        expect(stdout).toContain(title);
      }
      for (const head of ["Weighted F1 (%)", "MAE", "Acc-7 (%)", "Macro F1 (%)", "Hamming loss (%)"]) {
        expect(stdout).toContain(head);
      }
      const trials = trialsOf(place.folder, "made");
      expect(trials.map(({ isDone }) => isDone)).toEqual([true, true, true]);
      const heads = trials.map(({ id }) => {
        const file = join(place.folder, "runs/made/trials", id, "predictions.csv");
        return readFileSync(file, "utf8").split("\n")[0];
      });
      expect(heads.sort()).toEqual([
        "dialogue,utterance,label,predicted,serious,humorous",
        "dialogue,utterance,label,predicted,tense,sad,joyful,ironic",
        "dialogue,utterance,score,predicted",
      ]);
      const shown = await Promise.all(trials.map(({ id }) => place.exp("show", id)));
      expect(shown.filter(({ stdout: text }) => text.includes("per label\n"))).toHaveLength(1);
      expect(shown.filter(({ stdout: text }) => text.includes("how often each was predicted"))).toHaveLength(1);
      const scores = shown.find(({ stdout: text }) => text.includes("pearson-r"))?.stdout ?? "";
      expect(scores).not.toContain("per class");
    },
    TIMEOUT_MS,
  );

  test(
    "predicts what a folder's targets say",
    async () => {
      const place = workplace(folderFiles());
      const { code, stdout } = await place.exp("run", "scored", "--jobs", "1");
      expect(code).toBe(0);
      expect(stdout).toContain("Scored (regression)");
      expect(stdout).toContain("Scored (single-label)");
      const json = await place.exp("table", "scored", "--format", "json");
      const tables = JSON.parse(json.stdout) as { columns: { metric?: string }[] }[];
      expect(tables.map(({ columns }) => columns.find(({ metric }) => metric !== undefined)?.metric)).toEqual([
        "mae",
        "weighted-f1",
      ]);
      const check = await place.exp("data", "check", "data/tiny", "--target", "score");
      expect(check.stdout).toContain("scores from -3 to 3");
      expect(check.code).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("bad input is refused before anything trains", () => {
  const refused = async (files: Parameters<Workplace["write"]>[0], ...args: string[]) => {
    const place = workplace(files);
    const { code, stdout, stderr } = await place.exp("run", ...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(trialsOf(place.folder, args[0])).toEqual([]);
    return stderr.replaceAll(place.folder, "DIR");
  };
  const spoilt = (cells: readonly string[]) => folderFiles(table((all, row) => (row === 3 ? cells : all)));

  test.each([
    ["no score", ["", "1", "0"], "score", 'no score in column "score" (1 row)'],
    ["half a label", ["0", "0.5", "0"], "set", 'label "glad" must be 0 or 1, got "0.5"'],
  ])(
    "%s",
    async (_, cells, target, message) => {
      const told = await refused(spoilt(cells), "scored", `dataset.target=${target}`);
      expect(told).toContain(`error ${message}`);
      expect(told).toContain("DIR/data/tiny/utterances.csv:5");
    },
    TIMEOUT_MS,
  );

  test(
    "an objective of another task",
    async () => {
      const files = { "experiments/made.yaml": MADE_UP };
      const told = await refused(files, "made", "datasets=synthetic-sentiment", "objective=cross-entropy");
      expect(told).toContain("objective cross-entropy is for single-label tasks; this one is regression");
      expect(told).toContain("Choose objective=l1");
    },
    TIMEOUT_MS,
  );
});
