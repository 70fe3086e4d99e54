// What tracking costs a study: node --import tsx benchmarks/tracking-overhead.ts [epochs] [rounds]. The same small study is
// run by the command without tracking, with a local MLflow server (MERCLAB_MLFLOW names its executable), and with an
// address where none answers, in turns. CPU time of the command itself, workers left out, says what tracking takes from
// training on a full machine; wall-clock time, what a user waits.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";
import { median } from "./statistics.ts";

const EXP = resolve(import.meta.dirname, "../packages/cli/bin/exp.mjs");
const EPOCHS = Number(process.argv[2] ?? 60);
const ROUNDS = Number(process.argv[3] ?? 3);

const STUDY = `title: A small study
datasets: [synthetic]
base:
  encoder: linear
  encoder.dim: 16
  objective: cross-entropy
  engine: wasm
  trainer.epochs: ${EPOCHS}
matrix: { fusion: [concat, sum] }
seeds: 2
`;
/** Loaded into each process: the command writes down, as it ends, the CPU time that it took. */
const METER = `
import { writeFileSync } from "node:fs";
if (process.argv.includes("run")) process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  writeFileSync(process.env.METER_FILE, String((user + system) / 1000));
});
`;

const root = mkdtempSync(join(tmpdir(), "tracking-overhead-"));
const folder = join(root, "here");
mkdirSync(join(folder, "experiments"), { recursive: true });
writeFileSync(join(folder, "experiments/small.yaml"), STUDY);
writeFileSync(join(folder, "meter.mjs"), METER);
const server = await startMlflowServer();
try {
  const ways = { none: "", server: server.uri, down: `http://127.0.0.1:${await closedPort()}` };
  const measured = Object.fromEntries(
    Object.keys(ways).map((way) => [way, { cpu: [], wall: [] }]),
  ) as unknown as Record<keyof typeof ways, { cpu: number[]; wall: number[] }>;
  for (let round = 0; round < ROUNDS; round++) {
    const names = Object.keys(ways) as (keyof typeof ways)[];
    for (const way of round % 2 === 0 ? names : names.reverse()) {
      const { cpu, wall } = run(ways[way], `${way}-${round}`);
      measured[way].cpu.push(cpu);
      measured[way].wall.push(wall);
    }
  }
  const wall = median(measured.none.wall);
  for (const [way, { cpu, wall: walls }] of Object.entries(measured)) {
    const more = median(cpu) - median(measured.none.cpu);
    console.log(
      `${way.padEnd(6)} ${(median(walls) / 1000).toFixed(1)} s, CPU time of the command ${median(cpu).toFixed(0)} ms: ` +
        `${more.toFixed(0)} ms more, ${((100 * more) / wall).toFixed(2)} % of the study's time`,
    );
  }
} finally {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
}

function run(uri: string, runs: string): { cpu: number; wall: number } {
  const meter = join(folder, "meter");
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [EXP, "run", "small", "--runs", runs, "--jobs", "2"], {
    cwd: folder,
    encoding: "utf8",
    env: {
      ...process.env,
      MERCLAB_DATA: "",
      MLFLOW_TRACKING_URI: uri,
      METER_FILE: meter,
      NODE_OPTIONS: `--import=${pathToFileURL(join(folder, "meter.mjs")).href}`,
    },
  });
  if (status !== 0) {
    throw new Error(`exp run ended with ${status}\n${stderr}`);
  }
  return { cpu: Number(readFileSync(meter, "utf8")), wall: performance.now() - started };
}

/** A port where nothing listens. */
function closedPort(): Promise<number> {
  return new Promise((found, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => found(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
