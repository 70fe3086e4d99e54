// The `exp` command as a user has it: a process of its own in a folder of its own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { FOLDER } from "../../packages/runner/test/tiny-folder.ts";

const EXP = resolve(import.meta.dirname, "../../packages/cli/bin/exp.mjs");

export interface Ended {
  /** Exit code, or the signal that ended the process. */
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** A user's folder with experiments/, data/tiny and, once something ran, runs/. */
export interface Workplace {
  readonly folder: string;
  write(files: Readonly<Record<string, string | Uint8Array>>): void;
  /** Runs `exp` with these arguments to its end. */
  exp(...args: string[]): Promise<Ended>;
  /** The same with other environment variables. */
  expWith(environment: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended>;
  /** Starts `exp` as the leader of a process group, as a shell does. */
  start(...args: string[]): Running;
  /** The same with other environment variables. */
  startWith(environment: NodeJS.ProcessEnv, ...args: string[]): Running;
  /** Command lines of living processes that speak of this folder: runners and workers. */
  processes(): string[];
  remove(): void;
}

/** Four short trials on the tiny folder; no column of the table holds a time. */
export const STUDY = `title: A tiny study
datasets: [folder]
base:
  dataset.folder.path: tiny
  encoder: linear
  encoder.dim: 8
  objective: cross-entropy
  engine: cpu
  trainer.epochs: 3
matrix:
  fusion: [sdt, lmam]
seeds: 2
tables:
  - { rows: fusion, metrics: [accuracy, weighted-f1], details: [n, parameters] }
`;

export function createWorkplace(): Workplace {
  // Nested, so that nothing beside it is taken for data; real, so that messages name it as it is known.
  const root = realpathSync(mkdtempSync(join(tmpdir(), "merclab-cli-")));
  const folder = join(root, "user");
  const write: Workplace["write"] = (files) => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
  };
  write({ "experiments/tiny.yaml": STUDY });
  write(Object.fromEntries(Object.entries(FOLDER).map(([name, content]) => [`data/tiny/${name}`, content])));
  const spawnExp = (environment: NodeJS.ProcessEnv, args: readonly string[], detached: boolean): Running => {
    const { MERCLAB_DATA: _, MLFLOW_TRACKING_URI: __, FORCE_COLOR: ___, ...inherited } = process.env;
    const child = spawn(process.execPath, [EXP, ...args], {
      cwd: folder,
      env: { ...inherited, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached,
    });
    const text = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text.stdout += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      text.stderr += part;
    });
    const ended = new Promise<Ended>((done, fail) => {
      child.on("error", fail);
      child.on("close", (code, signal) => done({ code: code ?? signal, ...text }));
    });
    return { child, ended };
  };
  return {
    folder,
    write,
    exp: (...args) => spawnExp({}, args, false).ended,
    expWith: (environment, ...args) => spawnExp(environment, args, false).ended,
    start: (...args) => spawnExp({}, args, true),
    startWith: (environment, ...args) => spawnExp(environment, args, true),
    processes: () =>
      execFileSync("ps", ["-A", "-o", "args="], { encoding: "utf8", maxBuffer: 1e8 })
        .split("\n")
        .filter((line) => line.includes(root)),
    remove: () => {
      // Out of reach first: a process that still ends could write into a folder that was just emptied.
      const gone = `${root}.gone`;
      renameSync(root, gone);
      rmSync(gone, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

export interface Trial {
  readonly id: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly state: string | undefined;
  readonly pid: number | undefined;
  readonly isDone: boolean;
  /** Epochs in the journal. */
  readonly epochs: number;
}

/** What lies in `runs/<experiment>/trials` right now. */
export function trialsOf(folder: string, experiment = "tiny"): Trial[] {
  const trials = join(folder, "runs", experiment, "trials");
  return (existsSync(trials) ? readdirSync(trials) : []).map((id) => {
    const text = (name: string) =>
      existsSync(join(trials, id, name)) ? readFileSync(join(trials, id, name), "utf8") : "";
    const status = JSON.parse(text("status.json") || "{}") as { state?: string; pid?: number };
    return {
      id,
      spec: JSON.parse(text("trial.json") || "{}") as Trial["spec"],
      state: status.state,
      pid: status.pid,
      isDone: text("result.json") !== "",
      epochs: text("journal.jsonl").split('"t":"m"').length - 1,
    };
  });
}

/** The bytes of all files of one name, by trial. */
export function filesOf(folder: string, name: string, experiment = "tiny"): Record<string, string> {
  const trials = join(folder, "runs", experiment, "trials");
  return Object.fromEntries(
    readdirSync(trials)
      .sort()
      .map((id) => [id, readFileSync(join(trials, id, name), "base64")]),
  );
}

/** Waits for something to become true. */
export async function until<T>(look: () => T | undefined | false, what: string, timeoutMs = 60_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) {
      return seen;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${timeoutMs} ms for ${what}`);
    }
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
