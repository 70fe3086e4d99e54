// A real MLflow server for tests: fresh SQLite store and artifact folder in a temporary directory, loopback only.
// `findMlflow` says whether there is one to start; MERCLAB_MLFLOW may name the executable, else `mlflow` on PATH.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

export interface MlflowServer {
  /** `http://127.0.0.1:<port>`, with the static prefix if there is one. */
  readonly uri: string;
  /** A Python that can import mlflow. */
  readonly python: string;
  readonly version: string;
  /** Stops the server and removes its store. */
  stop(): Promise<void>;
  /** SIGKILL to all its processes; the store stays. */
  kill(): Promise<void>;
  /** Starts again on the same port and store, after `kill`. */
  restart(): Promise<void>;
}

export interface MlflowServerOptions {
  /** Further arguments of `mlflow server`. */
  readonly args?: readonly string[];
  /** Must equal what `--static-prefix` names in `args`. */
  readonly prefix?: string;
  /** Further variables of the server. */
  readonly env?: Readonly<Record<string, string>>;
  readonly startTimeoutMs?: number;
}

export interface MlflowInstallation {
  readonly executable: string;
  readonly python: string;
  readonly version: string;
}

/** The installation to test against, undefined when there is none. */
export function findMlflow(): MlflowInstallation | undefined {
  const executable = process.env.MERCLAB_MLFLOW ?? onPath("mlflow");
  if (executable === undefined || !existsSync(executable)) return undefined;
  const python = ["python3", "python"].map((name) => join(dirname(executable), name)).find(existsSync) ?? "python3";
  const script = "import importlib.metadata as m; print(m.version('mlflow'))";
  const { status, stdout } = spawnSync(python, ["-c", script], { encoding: "utf8", timeout: 60_000 });
  return status === 0 ? { executable, python, version: stdout.trim() } : undefined;
}

/** Resolves when `/health` answers; one worker, no job processes, no telemetry. */
export async function startMlflowServer(options: MlflowServerOptions = {}): Promise<MlflowServer> {
  const { args = [], prefix = "", env = {}, startTimeoutMs = 120_000 } = options;
  const installation = findMlflow();
  if (installation === undefined) throw new Error("startMlflowServer: no mlflow; set MERCLAB_MLFLOW or put it on PATH");
  const folder = mkdtempSync(join(tmpdir(), "mlflow-server-"));
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}${prefix}`;
  const log = join(folder, "server.log");

  const start = async (): Promise<ChildProcess> => {
    const output = openSync(log, "a");
    const store = ["--backend-store-uri", `sqlite:///${join(folder, "mlflow.db")}`];
    const files = ["--artifacts-destination", join(folder, "artifacts")];
    const address = ["--host", "127.0.0.1", "--port", String(port), "--workers", "1"];
    const child = spawn(installation.executable, ["server", ...store, ...files, ...address, ...args], {
      cwd: folder,
      detached: true, // a process group of its own, so that the workers can be stopped with it
      stdio: ["ignore", output, output],
      env: { ...serverEnvironment(installation), ...env },
    });
    closeSync(output);
    try {
      await untilHealthy([`${uri}/health`, `http://127.0.0.1:${port}/health`], child, startTimeoutMs);
    } catch (error) {
      await killGroup(child);
      throw new Error(`${error instanceof Error ? error.message : error}\n${readFileSync(log, "utf8").slice(-3000)}`);
    }
    return child;
  };

  let child = await start().catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  });
  return {
    uri,
    python: installation.python,
    version: installation.version,
    kill: () => killGroup(child),
    restart: async () => {
      child = await start();
    },
    stop: async () => {
      await killGroup(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The variables of the caller that matter, and nothing that would lead the server elsewhere. */
function serverEnvironment({ executable }: MlflowInstallation): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MLFLOW_"));
  return {
    ...Object.fromEntries(inherited),
    PATH: `${dirname(executable)}${delimiter}${process.env.PATH ?? ""}`,
    MLFLOW_DISABLE_TELEMETRY: "true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
  };
}

/** One of the addresses must answer; 2.x servers keep `/health` outside the prefix. */
async function untilHealthy(urls: readonly string[], child: ChildProcess, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("mlflow server ended while starting");
    for (const url of urls) {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      if (response?.ok) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`mlflow server: no answer on ${urls[0]} within ${timeoutMs} ms`);
}

async function killGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const ended =
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // the group is gone already
  }
  await ended;
}

function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(existsSync);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
