// How long `exp table` takes over many stored runs: makes trial folders with synthetic results, and times the command
// as a user runs it, start of Node included.
//
//   npx tsx benchmarks/tables.ts [trials] [repeats]
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { drawNormal, foldKey, keyFromSeed } from "@merclab/core";
import { DEFAULT_TABLE, type TestScore, type TrialResult, type TrialSpec } from "@merclab/runner";

const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
const CLASSES = ["happy", "sad", "neutral", "angry", "excited", "frustrated"];
const DATASETS = ["iemocap", "meld"];
const SEEDS = 5;

const [count = 1000, repeats = 5] = process.argv.slice(2).map(Number);
const folder = await mkdtemp(join(tmpdir(), "merclab-tables-"));
try {
  const trials = Array.from({ length: count }, (_, index) => trialAt(index));
  const study = join(folder, "runs/many");
  await mkdir(join(study, "trials"), { recursive: true });
  for (const spec of trials) {
    const place = join(study, "trials", spec.id);
    await mkdir(place);
    await writeFile(join(place, "trial.json"), JSON.stringify(spec, null, 2));
    await writeFile(join(place, "result.json"), JSON.stringify(resultOf(spec), null, 2));
    await writeFile(join(place, "status.json"), JSON.stringify({ state: "done", attempt: 1, pid: 1, startedAt: "" }));
  }
  const tables = [DEFAULT_TABLE];
  const command = "exp run many";
  await writeFile(
    join(study, "study.json"),
    JSON.stringify({ schema: 1, experiment: "many", title: "Many runs", command, notices: [], tables, trials }),
  );
  const seconds = Array.from({ length: repeats }, () => {
    const started = performance.now();
    execFileSync(process.execPath, [EXP, "table", "many"], { cwd: folder, maxBuffer: 1e8 });
    return (performance.now() - started) / 1000;
  }).sort((a, b) => a - b);
  const [fastest = Number.NaN] = seconds;
  const median = seconds[Math.floor(repeats / 2)] ?? Number.NaN;
  process.stdout.write(`${count} stored runs: median ${median.toFixed(2)} s, fastest ${fastest.toFixed(2)} s\n`);
} finally {
  await rm(folder, { recursive: true });
}

/** Models × data sets × seeds. */
function trialAt(index: number): TrialSpec {
  const seed = index % SEEDS;
  const dataset = DATASETS[Math.floor(index / SEEDS) % DATASETS.length] ?? "";
  const rank = 1 + Math.floor(index / (SEEDS * DATASETS.length));
  const part = (name: string, options: Readonly<Record<string, unknown>> = {}) => ({ name, options });
  return {
    schema: 1,
    id: index.toString(16).padStart(12, "0"),
    experiment: "many",
    title: "Many runs",
    cell: { dataset, "fusion.rank": rank },
    config: {
      dataset: part(dataset),
      encoder: part("sdt", { dim: 128, numHeads: 8, dropout: 0.5, paths: "both" }),
      fusion: part("lmam", { rank }),
      objective: part("cross-entropy", { classWeights: "none" }),
      balancer: part("none"),
      optimizer: part("adam", { lr: 2e-4, betas: [0.9, 0.999] }),
      trainer: part("trainer", { epochs: 20, batchSize: 16, selectBy: "weighted-f1" }),
      engine: part("onnx"),
    },
    seed,
    data: { fingerprint: `data-${dataset}`, source: "synthetic" },
    parameters: { total: 1000 * rank, trainable: 1000 * rank },
    task: { type: "single-label", classes: CLASSES },
  };
}

function resultOf(spec: TrialSpec): TrialResult {
  const draws = drawNormal(foldKey(keyFromSeed(1), spec.id), 4);
  const score = (epoch: number, shift: number): TestScore => {
    const [f1 = 0, accuracy = 0] = Array.from(draws.subarray(0, 2), (value) => 0.6 + 0.02 * value + shift);
    return {
      epoch,
      metrics: { accuracy, "weighted-f1": f1, "macro-f1": f1, ece: 0.1, nll: 1 },
      perClass: CLASSES.map(() => ({ precision: f1, recall: f1, f1, support: 270 })),
      confusion: CLASSES.map(() => CLASSES.map(() => 45)),
    };
  };
  return {
    schema: 1,
    id: spec.id,
    seed: spec.seed,
    dataset: spec.config.dataset.name,
    classes: CLASSES,
    epochs: 20,
    selection: { metric: "weighted-f1", epoch: 10, valid: score(10, 0).metrics },
    test: { validSelected: score(10, 0), maxTest: score(12, 0.01) },
    seal: { openedAt: "2026-01-01T00:00:00.000Z", reason: "made up" },
    seconds: 10,
    threads: 1,
    parameters: spec.parameters,
    versions: { merclab: "0.1.0" },
  };
}
