// A study as `exp run` leaves it on the disk, with made-up predictions: every score in it is computed from them, so that
// tables, curves and flips agree as they do in a real one.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawUniform, foldKey, keyFromSeed, type SingleLabelTask, taskScores } from "@merclab/core";
import { encodeNpz } from "@merclab/data";
import {
  TRIAL_FILES,
  type TrialEnvironment,
  type TrialResult,
  type TrialSpec,
  tableSpec,
  trialFolder,
  writeJson,
} from "@merclab/runner";
import { createSpec } from "./support.ts";

export interface MadeUpStudy {
  readonly experiment?: string;
  readonly title?: string;
  readonly datasets?: readonly string[];
  readonly methods: readonly string[];
  readonly seeds: number;
  readonly epochs?: number;
  readonly classes?: readonly string[];
  readonly dialogues?: number;
  readonly utterances?: number;
  /** How much better than chance a method is, from 0 to 1. */
  readonly skill?: (method: string) => number;
  /** Commits by seed, of checkouts that are not dirty; without it trials tell none. */
  readonly commitOf?: (seed: number) => string;
  /** Trials that have not run. */
  readonly isMissing?: (method: string, seed: number) => boolean;
}

/** Writes `runs/<experiment>` into a fresh folder. */
export async function storeStudy(study: MadeUpStudy): Promise<{ readonly runs: string; readonly remove: () => void }> {
  const { experiment = "made-up", title = "A made-up study", datasets = ["iemocap"] } = study;
  const runs = mkdtempSync(join(tmpdir(), "merclab-report-"));
  const specs: TrialSpec[] = [];
  for (const dataset of datasets) {
    for (const method of study.methods) {
      for (let seed = 0; seed < study.seeds; seed++) {
        const task: SingleLabelTask = { type: "single-label", classes: study.classes ?? ["happy", "sad", "angry"] };
        const id = idOf(dataset, method, seed);
        const spec = createSpec({ dataset, fusion: method }, { seed, id, experiment, title, task });
        specs.push(spec);
        if (study.isMissing?.(method, seed) !== true) {
          storeTrial(runs, spec, task, study);
        }
      }
    }
  }
  await writeJson(join(runs, experiment, "study.json"), {
    schema: 1,
    experiment,
    title,
    command: `exp run ${experiment}`,
    notices: [],
    tables: [tableSpec.parse({ columns: [], metrics: ["weighted-f1", "accuracy"] })],
    trials: specs,
  });
  return { runs, remove: () => rmSync(runs, { recursive: true, force: true }) };
}

function idOf(...parts: readonly (string | number)[]): string {
  const draws = drawUniform(foldKey(keyFromSeed(0), ...parts), 3);
  return [...draws]
    .map((draw) =>
      Math.floor(draw * 65536)
        .toString(16)
        .padStart(4, "0"),
    )
    .join("");
}

function storeTrial(runs: string, spec: TrialSpec, task: SingleLabelTask, study: MadeUpStudy): void {
  const { epochs = 6, dialogues = 4, utterances = 8, skill = () => 0.5 } = study;
  const { classes } = task;
  const method = String(spec.cell.fusion);
  const count = dialogues * utterances;
  const key = (...path: (string | number)[]) => foldKey(keyFromSeed(1), ...path);
  // Labels come in runs, as emotions do.
  const drawn = drawUniform(key("labels", String(spec.cell.dataset)), count);
  const labels: number[] = [];
  drawn.forEach((draw, at) => {
    const before = at % utterances === 0 ? undefined : labels[at - 1];
    labels.push(before !== undefined && draw < 0.5 ? before : Math.floor(draw * 2 * classes.length) % classes.length);
  });
  const probabilities = Array.from({ length: epochs }, (_, epoch) =>
    rowsOf(labels, classes.length, skill(method) * ((epoch + 1) / epochs), key(spec.id, epoch)),
  );
  const scores = probabilities.map((outputs, epoch) => ({ epoch: epoch + 1, ...taskScores(task, labels, outputs) }));
  const score = (epoch: number) => scores[epoch - 1] as TrialResult["test"]["maxTest"];
  const f1 = (epoch: number) => score(epoch).metrics["weighted-f1"] ?? 0;
  const best = scores.reduce((epoch, each) => (f1(each.epoch) > f1(epoch) ? each.epoch : epoch), 1);
  const selected = Math.max(1, epochs - 1);
  const openedAt = `2026-01-01T00:${String(spec.seed % 60).padStart(2, "0")}:00.000Z`;
  const result: TrialResult = {
    schema: 1,
    id: spec.id,
    seed: spec.seed,
    dataset: spec.config.dataset.name,
    classes,
    epochs,
    selection: { metric: "weighted-f1", epoch: selected, valid: { "weighted-f1": 0.5 } },
    test: { validSelected: score(selected), maxTest: score(best) },
    seal: { openedAt, reason: `scoring after training; epoch ${selected} was chosen on validation` },
    seconds: 10 + spec.seed,
    threads: 1,
    parameters: { total: 1000 * (method.length + 1), trainable: 1000 * (method.length + 1) },
    cost: {
      utterance: { products: 1e6 * method.length, elementwise: 1e4 },
      batch: { products: 1e8, elementwise: 1e6 },
    },
    versions: { merclab: "0.1.0", node: "20.19.0" },
  };
  const folder = trialFolder(runs, spec.experiment, spec.id);
  mkdirSync(folder, { recursive: true });
  const write = (name: keyof typeof TRIAL_FILES, content: string | Uint8Array) =>
    writeFileSync(join(folder, TRIAL_FILES[name]), content);
  write("spec", JSON.stringify(spec));
  write("status", JSON.stringify({ state: "done", attempt: 1, pid: 1, startedAt: openedAt, endedAt: openedAt }));
  write("result", JSON.stringify(result));
  if (study.commitOf !== undefined) {
    write("environment", JSON.stringify(environmentAt(study.commitOf(spec.seed))));
  }
  write(
    "journal",
    journal(
      spec.id,
      scores.map(({ epoch }) => f1(epoch)),
    ),
  );
  write("predictions", predictionsCsv(labels, probabilities[selected - 1] as Float32Array, classes, utterances));
  const shape = [epochs, count, classes.length];
  const data = Float32Array.from(probabilities.flatMap((each) => [...each]));
  write("testProbabilities", encodeNpz({ probabilities: { shape, data, dtype: "f2" } }));
}

export function environmentAt(commit: string, dirty = false): TrialEnvironment {
  const git = { commit, dirty };
  const machine = { host: "here", user: "me", system: "linux", cpu: "one", cores: 1, memory: 1 };
  const origin = { git, merclab: { version: "0.1.0", git }, machine };
  return { schema: 1, engine: "wasm", threads: 1, versions: {}, origin };
}

function rowsOf(labels: readonly number[], width: number, skill: number, key: ReturnType<typeof keyFromSeed>) {
  const draws = drawUniform(key, labels.length * (width + 1));
  const rows = new Float32Array(labels.length * width);
  labels.forEach((label, row) => {
    const weights = Array.from({ length: width }, (_, at) => 0.05 + (draws[row * (width + 1) + at] ?? 0));
    if ((draws[row * (width + 1) + width] ?? 0) < skill) {
      weights[label] = 3;
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    weights.forEach((weight, at) => {
      rows[row * width + at] = weight / total;
    });
  });
  return rows;
}

function journal(id: string, valid: readonly number[]): string {
  const records = [
    { t: "open", format: 1, runKey: id, attempt: 1, ts: 0 },
    ...valid.map((value, at) => ({
      t: "m",
      s: at + 1,
      ts: at,
      v: { "train/total": 2 / (at + 1), "valid/weighted-f1": value * 0.98, "valid/accuracy": value },
    })),
    { t: "end", status: "FINISHED", ts: valid.length },
  ];
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

function predictionsCsv(
  labels: readonly number[],
  outputs: Float32Array,
  classes: readonly string[],
  utterances: number,
): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = labels.map((label, row) => {
    const own = [...outputs.subarray(row * classes.length, (row + 1) * classes.length)];
    const predicted = own.indexOf(Math.max(...own));
    const dialogue = `d${Math.floor(row / utterances)}`;
    const names = [classes[label] ?? "", classes[predicted] ?? ""].map(quoted);
    return [dialogue, `${dialogue}_${row % utterances}`, ...names, ...own.map((each) => each.toFixed(6))].join(",");
  });
  return [["dialogue", "utterance", "label", "predicted", ...classes.map(quoted)].join(","), ...lines, ""].join("\n");
}
