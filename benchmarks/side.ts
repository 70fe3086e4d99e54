// A side as a child process that answers commands one at a time.
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { MerclabError } from "@merclab/core";

/** Characters of a side's messages that are kept for the error, should it end early. */
const KEPT_MESSAGES = 4000;

/** How a side is started, for any row. */
export interface SideKind {
  /** As in the table. */
  readonly name: string;
  start(folder: string, settingsFile: string): Side;
}

export interface Side {
  readonly name: string;
  /** @throws MerclabError `engine` when the side fails or has ended */
  ask<T>(command: string): Promise<T>;
  /** Lets it end, and waits until it has. */
  quit(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

/** Runs with one side of each kind; none outlives it. */
export async function withSides<R>(
  kinds: readonly SideKind[],
  folder: string,
  settingsFile: string,
  run: (sides: readonly Side[]) => Promise<R>,
): Promise<R> {
  const sides = kinds.map((kind) => kind.start(folder, settingsFile));
  try {
    const result = await run(sides);
    await Promise.all(sides.map((side) => side.quit()));
    return result;
  } finally {
    for (const side of sides) {
      side.kill();
    }
  }
}

/** Merclab on an engine. */
export function ourSide(engine: string): SideKind {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const worker = join(import.meta.dirname, "ours/worker.ts");
  return {
    name: engine,
    start: (folder, settingsFile) =>
      // As the runner starts its workers.
      startSide(engine, process.execPath, ["--import", loader, worker, folder, settingsFile, engine], {
        MALLOC_ARENA_MAX: "2",
      }),
  };
}

/** The reference in PyTorch. */
export function referenceSide(python: string, threads: number): SideKind {
  const name = "PyTorch";
  const worker = join(import.meta.dirname, "reference/worker.py");
  return {
    name,
    start: (folder, settingsFile) =>
      startSide(name, python, ["-B", worker, folder, settingsFile], { OMP_NUM_THREADS: String(threads) }),
  };
}

const living = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of living) {
    child.kill("SIGKILL");
  }
});

function startSide(
  name: string,
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Side {
  const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: ["pipe", "pipe", "pipe"] });
  living.add(child);
  let messages = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    messages = (messages + part).slice(-KEPT_MESSAGES);
  });
  child.stdin.on("error", () => undefined); // the end of the process tells more
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("close", (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
  }).finally(() => living.delete(child));
  // What does not look like an answer is a message of some library.
  let answered: ((line: string) => void) | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) {
      answered?.(line);
    }
  });
  const fail = (reason: string): never => {
    throw new MerclabError("engine", `the side ${name} failed: ${reason}`, {
      ...(messages.trim() === "" ? {} : { hint: `It said:\n${messages.trimEnd()}` }),
    });
  };
  return {
    name,
    async ask<T>(command: string): Promise<T> {
      const answer = new Promise<string>((resolve) => {
        answered = resolve;
      });
      child.stdin.write(`${command}\n`);
      const line = await Promise.race([answer, ended.then((reason) => fail(`${reason} at "${command}"`))]);
      const parsed = JSON.parse(line) as T | { readonly error: string };
      if (typeof parsed === "object" && parsed !== null && "error" in parsed) {
        return fail(`${parsed.error} (at "${command}")`);
      }
      return parsed as T;
    },
    async quit() {
      child.stdin.end("quit\n");
      await ended;
    },
    kill() {
      child.kill("SIGKILL");
    },
  };
}
