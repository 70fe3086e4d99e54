// Short probes of trials that never ran, each in a process of its own, one after another: they would slow one another
// down.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { MerclabError } from "@merclab/core";
import { cellId, type TrialProbe, type TrialSpec } from "@merclab/runner";
import { createTicker } from "./ticker.ts";

const EXP = resolve(import.meta.dirname, "../bin/exp.mjs");

/** One probe for each config among the trials, by `cellId`. @throws MerclabError with what the first failure says */
export async function probeTrials(
  trials: readonly TrialSpec[],
  dataRoot: string | undefined,
  threads: number,
): Promise<Map<string, TrialProbe>> {
  const distinct = new Map(trials.map((spec) => [cellId(spec), spec]));
  const probes = new Map<string, TrialProbe>();
  const ticker = createTicker("probing");
  try {
    for (const [key, spec] of distinct) {
      ticker.show(probes.size, distinct.size);
      probes.set(key, await probe(spec, dataRoot, threads));
    }
  } finally {
    ticker.end();
  }
  return probes;
}

async function probe(spec: TrialSpec, dataRoot: string | undefined, threads: number): Promise<TrialProbe> {
  const args = [
    "trial",
    "probe",
    "--threads",
    String(threads),
    ...(dataRoot === undefined ? [] : ["--data", dataRoot]),
  ];
  const child = spawn(process.execPath, [EXP, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    // As trials have it, since it changes their memory.
    env: { MALLOC_ARENA_MAX: "2", ...process.env },
  });
  // A child that ends early does not read it; its exit code says so.
  child.stdin.on("error", () => undefined).end(JSON.stringify(spec));
  const [out, error, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | string | null>((done, fail) => {
      child.on("error", fail);
      child.on("close", (exit, signal) => done(exit ?? signal));
    }),
  ]);
  if (code !== 0) {
    throw new MerclabError("engine", `the probe of ${String(spec.cell.dataset)} ended with ${code}`, {
      hint: error.trim() || "Leave --probe out.",
    });
  }
  return JSON.parse(out) as TrialProbe;
}
