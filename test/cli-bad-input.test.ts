// Bad input: its own message on stderr with what, where and what to do; exit code 2; nothing on stdout, nothing trained.
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FEATURES, FOLDER, npy } from "../packages/runner/test/tiny-folder.ts";
import { createWorkplace, type Ended, STUDY, type Workplace } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
/** Experiments that come with merclab. */
const SHIPPED = readdirSync(resolve(import.meta.dirname, "../experiments"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => file.replace(".yaml", ""));
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) {
    place.remove();
  }
});

type Files = Parameters<Workplace["write"]>[0];

interface Case {
  readonly files?: Files;
  readonly environment?: NodeJS.ProcessEnv;
  readonly experiment?: string;
  /** After `exp run tiny`. */
  readonly args?: readonly string[];
  /** Lines that stderr has, in order, with the user's folder as DIR. */
  readonly says: readonly (string | RegExp)[];
}

async function refused({ files = {}, environment = {}, experiment = "tiny", args = [], says }: Case): Promise<Ended> {
  const place = createWorkplace();
  places.push(place);
  place.write(files);
  const ended = await place.expWith(environment, "run", experiment, ...args);
  const lines = ended.stderr.replaceAll(place.folder, "DIR").trimEnd().split("\n");
  for (const [i, line] of says.entries()) {
    expect(lines[i]).toEqual(typeof line === "string" ? line : expect.stringMatching(line));
  }
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).not.toMatch(/^\s+at .*[(/].*:\d+:\d+\)?$/m); // a stack
  expect(existsSync(join(place.folder, "runs"))).toBe(false);
  return ended;
}

const description = (from: string, to: string): Files => {
  expect(FOLDER["dataset.yaml"]).toContain(from);
  return { "data/tiny/dataset.yaml": FOLDER["dataset.yaml"].replace(from, to) };
};
const table = (from: string, to: string): Files => {
  expect(FOLDER["utterances.csv"]).toContain(from);
  return { "data/tiny/utterances.csv": FOLDER["utterances.csv"].replace(from, to) };
};
const features = (change: (values: number[]) => number[]): Files => ({
  "data/tiny/text.npy": npy(change([...FEATURES]), 2),
});
const study = (from: string, to: string): Files => {
  expect(STUDY).toContain(from);
  return { "experiments/tiny.yaml": STUDY.replace(from, to) };
};

describe.concurrent("an experiment", () => {
  test.each<[string, Case]>([
    [
      "with an unknown key",
      {
        files: study("seeds: 2", "seed: 2"),
        says: [
          'error unknown key "seed". Did you mean "seeds"? Known: base, datasets, matrix, seeds, tables, title, when.',
          "  at DIR/experiments/tiny.yaml:12",
        ],
      },
    ],
    [
      "with an unknown option",
      {
        files: study("encoder.dim: 8", "encoder.dimension: 8"),
        says: [
          /^error encoder linear: unknown key "dimension"\. .*Known: dim, dropout\.$/,
          "  at DIR/experiments/tiny.yaml:6",
        ],
      },
    ],
    [
      "with a misspelt fusion",
      {
        files: study("[sdt, lmam]", "[sdt, lman]"),
        says: [
          'error unknown fusion "lman"',
          "  at DIR/experiments/tiny.yaml:11",
          '  → Did you mean "lmam"? Known: ada2i, ada2i-as-described, ada2i-smooth, ada2i-unbalanced, ada2i-without-afw, ada2i-without-amw, cmath, cmath-deterministic, cmath-experts, cmath-self, cmath-symmetric, cmath-text-central, cmath-undistilled, concat, cross-attention, gated, lmam, lmf, sdt, self-attention, sum, tfn.',
        ],
      },
    ],
    [
      "with parts that cannot be combined",
      {
        args: ["fusion=lmam", "objective=self-distillation"],
        says: [
          "error objective self-distillation needs per-modality streams; fusion lmam gives none",
          "  at command line: objective=self-distillation",
          "  → Choose another objective, e.g. objective=cross-entropy.",
        ],
      },
    ],
    [
      "with a table of an axis that there is not",
      {
        files: study("rows: fusion", "rows: fusionn"),
        says: [
          'error table: no trial has an axis "fusionn"',
          "  at DIR/experiments/tiny.yaml (tables)",
          /→ Did you mean "fusion"\?/,
        ],
      },
    ],
    [
      "that is not there",
      {
        experiment: "tinyy",
        says: [
          'error unknown experiment "tinyy"',
          `  → Did you mean "tiny"? Known: ${[...SHIPPED, "tiny"].sort().join(", ")}.`,
        ],
      },
    ],
  ])("%s", async (_, each) => void (await refused(each)), TIMEOUT_MS);
});

describe.concurrent("the command line", () => {
  test.each<[string, Case]>([
    [
      "with an unknown group",
      {
        args: ["optimiser.lr=0.1"],
        says: [
          'error unknown group "optimiser" in "optimiser.lr"',
          "  at command line: optimiser.lr=0.1",
          /→ Did you mean "optimizer"\?/,
        ],
      },
    ],
    [
      "with jobs that are no number",
      {
        args: ["--jobs", "many"],
        says: [/^error: option '--jobs <n>' argument 'many' is invalid\. It must be a whole number from 1\.$/],
      },
    ],
    [
      "with an unknown engine",
      {
        args: ["--engine", "onxx"],
        says: [
          'error unknown engine "onxx"',
          "  at command line: engine=onxx",
          '  → Did you mean "onnx"? Known: auto, cpu, onnx, onnx-webgpu, wasm.',
        ],
      },
    ],
    ["with jobs below 1", { args: ["--jobs", "0"], says: [/'0' is invalid\. It must be a whole number from 1/] }],
    [
      "with threads that are no number",
      { args: ["--threads", "1.5"], says: [/'1\.5' is invalid\. It must be a whole number from 1/] },
    ],
    [
      "with threads for an engine that uses one",
      {
        args: ["--threads", "2"],
        says: [
          /^Data: /,
          "A tiny study",
          /^Engine: cpu/,
          "error engine cpu runs a trial on one thread, not on 2",
          "  at command line: --threads 2",
          /→ Leave --threads out: trials run side by side/,
        ],
      },
    ],
    [
      "with an unknown flag",
      {
        args: ["--seed", "3"],
        says: ["error: unknown option '--seed'", "(Did you mean --seeds?)", "Run with --help to see what is possible."],
      },
    ],
    [
      "with a data root that is not there",
      {
        args: ["--data", "nowhere"],
        says: [
          "error the data root DIR/nowhere does not exist",
          "  at --data",
          /→ Give the folder that holds one folder per data set/,
        ],
      },
    ],
    [
      "with another in the environment",
      {
        environment: { MERCLAB_DATA: "nowhere" },
        says: [
          "error the data root DIR/nowhere does not exist",
          "  at environment variable MERCLAB_DATA",
          /→ Give the folder/,
        ],
      },
    ],
    [
      "with runs below a file",
      {
        args: ["--runs", "experiments/tiny.yaml/runs"],
        says: [
          /^Data: /,
          "A tiny study",
          /^Engine: cpu/,
          /^error cannot write in DIR\/experiments\/tiny.yaml\/runs\/tiny: ENOTDIR/,
          /→ Check space and permissions, or give another folder with --runs/,
        ],
      },
    ],
  ])("%s", async (_, each) => void (await refused(each)), TIMEOUT_MS);
});

describe.concurrent("a feature folder", () => {
  test.each<[string, Case]>([
    [
      "with a wrong number of rows",
      {
        files: features((values) => values.slice(2)),
        says: [/^error text: the table has 10 rows, the .*9/, "  at DIR/data/tiny/text.npy"],
      },
    ],
    [
      "with NaN",
      {
        files: features((values) => values.with(5, Number.NaN).with(8, Number.POSITIVE_INFINITY)),
        says: [/^error .*(NaN|not finite).*2 /, /^ {2}at DIR\/data\/tiny\/text.npy.*row 2.*/],
      },
    ],
    [
      "with a label out of range",
      {
        files: {
          ...description("column: emotion,", "column: emotion, as: index,"),
          "data/tiny/utterances.csv": FOLDER["utterances.csv"].replaceAll("calm", "0").replaceAll("tense", "2"),
        },
        says: [
          'error label "2" is not one of 0 to 1 (5 rows, this is the first)',
          "  at DIR/data/tiny/utterances.csv:3",
        ],
      },
    ],
    [
      "with a dialogue in two parts",
      {
        files: table("a,1,F,train", "a,1,F,test"),
        says: [
          'error dialogue "a" is in two parts, train and test (1 dialogue)',
          "  at DIR/data/tiny/utterances.csv:3",
        ],
      },
    ],
    [
      "with an empty dialogue",
      {
        files: description(
          "splits: { column: part }",
          "splits: { dialogues: { train: [a, b, c], valid: [d], test: [e, f] } }",
        ),
        says: [
          /^error empty dialogue: "f" is listed but has no rows/,
          "  at DIR/data/tiny/dataset.yaml (splits.dialogues.test)",
        ],
      },
    ],
    [
      "that lacks a modality",
      {
        args: ["dataset.modalities=[text,visual]"],
        says: ['error dataset tiny has no modality "visual"', "  at option modalities", "  → Known: text."],
      },
    ],
  ])("%s", async (_, each) => void (await refused(each)), TIMEOUT_MS);
});

test(
  "with --json an error is one JSON document on stderr",
  async () => {
    const { stderr } = await refused({ args: ["fusion=lmamm", "--json"], says: [] });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: "config",
        message: 'unknown fusion "lmamm"',
        where: "command line: fusion=lmamm",
        hint: 'Did you mean "lmam"? Known: ada2i, ada2i-as-described, ada2i-smooth, ada2i-unbalanced, ada2i-without-afw, ada2i-without-amw, cmath, cmath-deterministic, cmath-experts, cmath-self, cmath-symmetric, cmath-text-central, cmath-undistilled, concat, cross-attention, gated, lmam, lmf, sdt, self-attention, sum, tfn.',
      },
    });
  },
  TIMEOUT_MS,
);
