// An MLflow server of this machine's own, on a store beside the runs; it ends with the process that started it.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MerclabError } from "@merclab/core";
import { cannotWrite, takeLock } from "@merclab/runner";
import { MlflowClient } from "mlflow-js-client";
import type { MlflowCommand } from "./installation.ts";

export interface LocalServer {
  readonly uri: string;
  /** Of the server, as far as it says one. */
  readonly version: string | undefined;
  /** Aborts when the server ends by itself. */
  readonly gone: AbortSignal;
  readonly log: string;
  /** Ends it and all its processes. */
  stop(): Promise<void>;
}

const GUARD = resolve(import.meta.dirname, "../../bin/server-guard.mjs");
const START_MS = 180_000;
const HOST = "127.0.0.1";

/**
 * @param folder of the store: a database, artifacts, a log
 * @param port when undefined the one of the last time, where it is free: addresses of pages stay
 * @throws MerclabError `config` when the port is taken, `storage` when another process has the store, `tracking` when
 *   the server does not start
 */
export async function startLocalServer(
  mlflow: MlflowCommand,
  folder: string,
  port: number | undefined,
  stop: AbortSignal,
): Promise<LocalServer> {
  const release = lockStore(folder);
  try {
    return await start(mlflow, folder, await choosePort(folder, port), stop, release);
  } catch (error) {
    release();
    throw error;
  }
}

function lockStore(folder: string): () => void {
  try {
    mkdirSync(folder, { recursive: true });
    return takeLock(join(folder, "server.lock"), { doing: "runs a server on this store" });
  } catch (cause) {
    throw cannotWrite(`in ${folder}`, cause);
  }
}

async function start(
  mlflow: MlflowCommand,
  folder: string,
  port: number,
  stop: AbortSignal,
  release: () => void,
): Promise<LocalServer> {
  const uri = `http://${HOST}:${port}`;
  const log = join(folder, "server.log");
  const store = `sqlite:///${join(folder, "mlflow.db")}`;
  const output = openSync(log, "w");
  const guard = spawn(
    process.execPath,
    [
      GUARD,
      ...mlflow,
      "server",
      ...["--backend-store-uri", store],
      ...["--artifacts-destination", join(folder, "artifacts")],
      ...["--host", HOST, "--port", String(port), "--workers", "1"],
    ],
    // Ctrl-C in a terminal must not reach it before what is being sent has ended.
    { cwd: folder, detached: true, stdio: ["pipe", output, output], env: serverEnvironment() },
  );
  closeSync(output);
  const gone = new AbortController();
  const ended = new Promise<void>((done) => {
    const end = () => {
      release();
      gone.abort();
      done();
    };
    guard.once("exit", end);
    guard.once("error", end);
  });
  const end = async (): Promise<void> => {
    guard.stdin?.end();
    await ended;
  };
  try {
    const version = await untilHealthy(uri, AbortSignal.any([stop, gone.signal]));
    return { uri, version, gone: gone.signal, log, stop: end };
  } catch (error) {
    await end();
    throw stop.aborted ? error : startFailure(guard, mlflow, log, store);
  }
}

/** Nothing of the caller's settings that would lead the server elsewhere. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MLFLOW_"));
  return {
    ...Object.fromEntries(inherited),
    MLFLOW_DISABLE_TELEMETRY: "true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false", // processes for evaluating language models
  };
}

async function untilHealthy(uri: string, over: AbortSignal): Promise<string | undefined> {
  const client = new MlflowClient({ trackingUri: uri, env: {}, retry: { attempts: 1 }, timeoutMs: 5_000 });
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      return (await client.serverInfo({ signal: over })).version;
    } catch (error) {
      over.throwIfAborted();
      if (Date.now() > deadline) {
        throw error;
      }
    }
    await sleep(200, undefined, { signal: over });
  }
}

function startFailure({ exitCode }: ChildProcess, mlflow: MlflowCommand, log: string, store: string): MerclabError {
  const text = readFileSync(log, "utf8").trim();
  const last = text.split("\n").at(-1) ?? "";
  const isOutdated = /out-of-date database schema|Can't locate revision/i.test(text);
  const why = exitCode === null ? `it did not answer within ${START_MS / 1000} s` : last;
  return new MerclabError("tracking", `MLflow's server did not start: ${why}`, {
    where: log,
    hint: isOutdated
      ? `The store is of another version of MLflow: ${mlflow.join(" ")} db upgrade ${store} (or remove it: runs are sent again).`
      : "The log says more.",
  });
}

/** @throws MerclabError `config` */
async function choosePort(folder: string, wanted: number | undefined): Promise<number> {
  const file = join(folder, "port");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = wanted === undefined ? await freePort(last).catch(() => freePort(0)) : await freePort(wanted);
  writeFileSync(file, `${port}\n`);
  return port;
}

/** @throws MerclabError `config` */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  try {
    return await new Promise<number>((done, fail) => {
      probe.once("error", fail);
      probe.listen(wanted, HOST, () => {
        const address = probe.address();
        done(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  } catch (cause) {
    throw new MerclabError("config", `port ${wanted} cannot be used: ${(cause as Error).message}`, {
      where: "--port",
      hint: "Give another one, or none for a free one.",
      cause,
    });
  } finally {
    probe.close();
  }
}
