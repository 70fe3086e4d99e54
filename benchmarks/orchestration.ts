// What a study costs beyond training: node --import tsx benchmarks/orchestration.ts [trials].
// First trials whose worker only writes what a trial leaves: what the runner and the disk take. Then trials that train
// next to nothing, run by the command itself, few and many: the difference is what each costs. Then plans of ten trials
// and of ten thousand, in ten cells and in two thousand, in turns, and the journal alone.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  attemptJournal,
  metricsRecord,
  parseOverride,
  planStudy,
  readExperiment,
  runStudy,
  type TrialResult,
} from "@merclab/runner";
import { openSite } from "../packages/cli/src/site.ts";
import { median } from "./statistics.ts";

const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
const TRIALS = Number(process.argv[2] ?? 200);
const FEW = 10;
const ROUNDS = 3;

const STUDY = `title: Next to nothing
datasets: [synthetic]
base:
  dataset.synthetic.dialogues: { train: 3, valid: 2, test: 2 }
  dataset.synthetic.lengths: [2, 4]
  encoder: linear
  encoder.dim: 4
  fusion: concat
  engine: cpu
  trainer.epochs: 1
matrix: { optimizer.lr: [1.0e-3, 2.0e-3, 3.0e-3, 4.0e-3, 5.0e-3, 6.0e-3, 7.0e-3, 8.0e-3, 9.0e-3, 1.0e-2] }
`;

/** Two thousand cells. */
const MANY_CELLS = STUDY.replace(
  "1.0e-2]",
  `1.0e-2], optimizer.weightDecay: [${Array.from({ length: 200 }, (_, i) => i * 1e-6).join(", ")}]`,
);

const root = mkdtempSync(join(tmpdir(), "orchestration-"));
const folder = join(root, "here");
try {
  mkdirSync(join(folder, "experiments"), { recursive: true });
  writeFileSync(join(folder, "experiments/nothing.yaml"), STUDY);
  writeFileSync(join(folder, "experiments/cells.yaml"), MANY_CELLS);
  const noOps = await timeNoOps();
  console.log(`runner and files: ${noOps.toFixed(1)} ms a trial that does nothing, one at a time`);
  const few = timeRun(FEW, "few");
  const many = timeRun(FEW + TRIALS, "many");
  const perTrial = (many.ms - few.ms) / TRIALS;
  console.log(
    `a trial beyond process start, ${TRIALS} of them, one at a time: ${perTrial.toFixed(1)} ms, of which it trains ` +
      `${many.trainingMs.toFixed(1)} ms; data, model, scores, runner and files take ${(perTrial - many.trainingMs).toFixed(1)} ms`,
  );
  const plans = { few: [] as number[], many: [] as number[], cells: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    plans.few.push(timePlan("nothing", 1));
    plans.many.push(timePlan("nothing", 1000));
    plans.cells.push(timePlan("cells", 5));
  }
  const [small, large, cells] = [median(plans.few), median(plans.many), median(plans.cells)];
  console.log(
    `exp plan of 10,000 trials ${large.toFixed(0)} ms, of ten ${small.toFixed(0)} ms: ${(large - small).toFixed(0)} ms ` +
      `beyond process start; in 2,000 cells of five seeds ${(cells - small).toFixed(0)} ms`,
  );
  console.log(`journal: ${Math.round(timeJournal() / 1000)} thousand records a second`);
} finally {
  rmSync(root, { recursive: true, force: true });
}

function exp(...args: string[]): number {
  const { MLFLOW_TRACKING_URI: _, MERCLAB_DATA: __, ...env } = process.env;
  const started = performance.now();
  const options = { cwd: folder, env, encoding: "utf8", maxBuffer: 1e8 } as const; // a plan of thousands is long
  const { status, stderr } = spawnSync(process.execPath, [EXP, ...args], options);
  if (status !== 0) {
    throw new Error(`exp ${args.join(" ")} ended with ${status}\n${stderr}`);
  }
  return performance.now() - started;
}

/** Milliseconds of a trial whose worker does nothing but store; the first ones, which start it, are left out. */
async function timeNoOps(): Promise<number> {
  const site = await openSite({ runs: join(folder, "no-ops") });
  const { registry, groups, places } = site;
  const experiment = await readExperiment(join(folder, "experiments/nothing.yaml"), []);
  const overrides = [parseOverride(`seeds=${(FEW + TRIALS) / FEW}`)];
  const plan = await planStudy(experiment, overrides, { registry, groups, dataRoot: undefined });
  const ends: number[] = [];
  await runStudy(plan, {
    runsFolder: places.runs,
    schedule: { jobs: 1, notes: [], threadsFor: () => 1 },
    workerCommand: [resolve(import.meta.dirname, "no-op-worker.ts")],
    onEvent: ({ type }) => {
      if (type === "done") {
        ends.push(performance.now());
      }
    },
    signal: new AbortController().signal,
    command: "none",
  });
  return ((ends.at(-1) ?? Number.NaN) - (ends[FEW - 1] ?? Number.NaN)) / TRIALS;
}

/** Wall-clock time of a whole run, and what its trials trained on average. */
function timeRun(trials: number, runs: string): { ms: number; trainingMs: number } {
  const ms = exp("run", "nothing", "--seeds", String(trials / FEW), "--jobs", "1", "--runs", runs);
  const done = join(folder, runs, "nothing/trials");
  const seconds = readdirSync(done).map(
    (id) => (JSON.parse(readFileSync(join(done, id, "result.json"), "utf8")) as TrialResult).seconds,
  );
  if (seconds.length !== trials) {
    throw new Error(`${seconds.length} of ${trials} trials are there`);
  }
  // The first trials of a process warm it up.
  return { ms, trainingMs: 1000 * median(seconds) };
}

function timePlan(study: string, seeds: number): number {
  return exp("plan", study, "--seeds", String(seeds), "--runs", "none");
}

/** Records a second, each written before the next. */
function timeJournal(): number {
  const records = 200_000;
  const metrics = {
    "train/total": 0.123456789,
    "valid/weighted-f1": 0.5,
    "valid/accuracy": 0.25,
    "epoch-seconds": 1.5,
  };
  const file = join(folder, "journal.jsonl");
  const journal = attemptJournal(file, { t: "open", format: 1, runKey: "a", attempt: 1, ts: Date.now() });
  const started = performance.now();
  for (let step = 1; step <= records; step++) {
    journal.append(metricsRecord(step, metrics));
  }
  const seconds = (performance.now() - started) / 1000;
  journal.close();
  if (readFileSync(file, "utf8").split("\n").length !== records + 2) {
    throw new Error("the journal lacks records");
  }
  return records / seconds;
}
