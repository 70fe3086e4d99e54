// Our side as a process: takes commands by lines on stdin, answers each with one line of JSON on stdout.
//   node --import tsx worker.ts FOLDER SETTINGS ENGINE
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Engine } from "@merclab/core";
import { createRegistry } from "../../packages/cli/src/container.ts";
import { versions } from "../../packages/cli/src/site.ts";
import type { BatchAnswer, InitAnswer, PredictAnswer, ReportAnswer } from "../protocol.ts";
import { readRowFolder } from "../row-folder.ts";
import { createNamedEngine } from "./engine.ts";
import { openSession, type Session } from "./session.ts";

type Answer = InitAnswer | BatchAnswer | PredictAnswer | ReportAnswer | Record<string, never>;

const [folder = "", settingsFile = "", engineName = ""] = process.argv.slice(2);
let started: { readonly session: Session; readonly engine: Engine } | undefined;

const COMMANDS: Readonly<Record<string, (argument: string) => Promise<Answer>>> = {
  init: async () => {
    const registry = createRegistry();
    const row = readRowFolder(folder, settingsFile);
    const { engine } = createNamedEngine(engineName, row.settings.threads, registry);
    await engine.start();
    const session = openSession(row, engine, registry);
    started = { session, engine };
    return { parameters: session.model.count.total, versions: versions(), cpuMs: cpuMs() };
  },
  "epoch-step": async (batch) => ({ ...(await opened().session.epochStep(Number(batch))), cpuMs: cpuMs() }),
  evaluate: async (batch) => ({ ...(await opened().session.evaluate(Number(batch))), cpuMs: cpuMs() }),
  predict: async (batch) => ({ probabilities: [...(await opened().session.predict(Number(batch)))] }),
  "save-weights": async (file) => {
    await opened().session.saveWeights(file);
    return {};
  },
  "load-weights": async (file) => {
    await opened().session.loadWeights(file);
    return {};
  },
  report: async () => {
    const { engine, session } = opened();
    const figures = await session.figures();
    return {
      peakMiB: peakMiB(),
      compilesShapes: engine.compilesShapes === true,
      ...(figures === undefined ? {} : { engine: figures }),
    };
  },
};

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Peak resident memory: Linux tells it in /proc, elsewhere the system does (in KiB). */
function peakMiB(): number {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

function opened(): { readonly session: Session; readonly engine: Engine } {
  if (started === undefined) {
    throw new Error("the first command must be init");
  }
  return started;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, name = "", argument = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
  if (name === "quit") {
    break;
  }
  let answer: Answer | { readonly error: string };
  try {
    const command = COMMANDS[name];
    answer = command === undefined ? { error: `unknown command "${name}"` } : await command(argument);
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
