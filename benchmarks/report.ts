// How long tables and the html report of many stored runs take, how much memory they need, and how large the page is.
//
//   node --import tsx benchmarks/report.ts [runs]        1000 runs without a number
//
// One made-up trial of IEMOCAP's size is stored, and copied with other ids, seeds and methods: what is read is as large
// as in a real study.
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TRIAL_FILES, type TrialResult, type TrialSpec, trialFolder } from "@merclab/runner";
import { storeStudy } from "../packages/report/test/stored-study.ts";

const EXPERIMENT = "made-up";
const SEEDS = 5;
const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
/** Tells when the process ends what it took: its peak of memory in kB, its processor time in microseconds. */
const TELL = `data:text/javascript,process.on("exit",()=>{const r=process.resourceUsage();process.stderr.write("took "+r.maxRSS+" "+(r.userCPUTime+r.systemCPUTime)+"\\n")})`;

const count = Number(process.argv[2] ?? 1000);
const { runs, remove } = await storeStudy({
  experiment: EXPERIMENT,
  methods: ["sdt"],
  seeds: 1,
  epochs: 20,
  classes: ["happy", "sad", "neutral", "angry", "excited", "frustrated"],
  dialogues: 31,
  utterances: 52,
});
try {
  multiply(count);
  const table = run("table", EXPERIMENT, "--runs", runs);
  const page = join(runs, "report.html");
  const report = run("report", EXPERIMENT, "--runs", runs, "--out", page);
  const bytes = statSync(page).size;
  process.stdout.write(
    `${count} runs\n` +
      `exp table   ${text(table)}\n` +
      `exp report  ${text(report)}, page of ${(bytes / 1e6).toFixed(2)} MB\n`,
  );
} finally {
  remove();
}

function multiply(wanted: number): void {
  const trials = join(runs, EXPERIMENT, "trials");
  const [source = ""] = readdirSync(trials);
  const from = join(trials, source);
  const read = <T>(name: string) => JSON.parse(readFileSync(join(from, name), "utf8")) as T;
  const [spec, result] = [read<TrialSpec>(TRIAL_FILES.spec), read<TrialResult>(TRIAL_FILES.result)];
  const specs = Array.from({ length: wanted }, (_, at): TrialSpec => {
    const [method, seed] = [`method-${Math.floor(at / SEEDS)}`, at % SEEDS];
    const id = `${at}`.padStart(12, "0");
    const own = { ...spec, id, seed, cell: { ...spec.cell, fusion: method } };
    return { ...own, config: { ...spec.config, fusion: { name: method, options: {} } } };
  });
  for (const own of specs) {
    const folder = trialFolder(runs, EXPERIMENT, own.id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, TRIAL_FILES.spec), JSON.stringify(own));
    writeFileSync(join(folder, TRIAL_FILES.result), JSON.stringify(shifted(result, own)));
    for (const name of [
      TRIAL_FILES.status,
      TRIAL_FILES.journal,
      TRIAL_FILES.predictions,
      TRIAL_FILES.testProbabilities,
    ]) {
      linkSync(join(from, name), join(folder, name));
    }
  }
  const study = join(runs, EXPERIMENT, "study.json");
  const stored = JSON.parse(readFileSync(study, "utf8")) as object;
  writeFileSync(study, JSON.stringify({ ...stored, trials: specs }));
}

/** The same result with other scores, so that there is something to test. */
function shifted(result: TrialResult, { id, seed }: TrialSpec): TrialResult {
  const shift = ((Number(id) * 7919) % 1000) / 20_000;
  const { validSelected } = result.test;
  const metrics = Object.fromEntries(
    Object.entries(validSelected.metrics).map(([name, value]) => [name, Math.min(1, value + shift)]),
  );
  return { ...result, id, seed, test: { ...result.test, validSelected: { ...validSelected, metrics } } };
}

interface Taken {
  readonly seconds: number;
  /** Of the processor: what a machine without other work would take. */
  readonly cpuSeconds: number;
  readonly megabytes: number;
}

function run(...args: readonly string[]): Taken {
  const start = performance.now();
  const ended = spawnSync(process.execPath, ["--import", TELL, EXP, ...args], { encoding: "utf8" });
  const seconds = (performance.now() - start) / 1000;
  if (ended.status !== 0) {
    throw new Error(`exp ${args.join(" ")} ended with ${ended.status}: ${ended.stderr}`);
  }
  const [, kilobytes, microseconds] = /^took (\d+) (\d+)$/m.exec(ended.stderr) ?? [];
  return { seconds, cpuSeconds: Number(microseconds) / 1e6, megabytes: Number(kilobytes) / 1024 };
}

function text({ seconds, cpuSeconds, megabytes }: Taken): string {
  return `${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of processor time), ${megabytes.toFixed(0)} MB`;
}
