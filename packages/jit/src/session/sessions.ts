// Sessions of ONNX Runtime by the content of their model: equal graphs share one, whoever traced them, and optimised
// graphs are kept on disk where a folder is given, for later processes.
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";
import { encodeModel, type Graph } from "../graph/onnx.ts";
import { keepGraph, readGraph } from "./graph-cache.ts";
import { peakBytes } from "./report.ts";

export interface SessionOptions {
  /** Threads of one operation; ONNX Runtime's choice when absent. */
  readonly threads: number | undefined;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
  /** Folder of optimised graphs. */
  readonly cacheFolder: string | undefined;
  /** Sessions that nobody uses any more which stay for later users, in the whole process. */
  readonly keepIdle: number;
}

export interface SharedSession {
  readonly session: ort.InferenceSession;
  readonly compiledBy: "runtime" | "memory" | "disk";
  /** Lets go of it; the session is freed when its last user does. */
  release(): Promise<void>;
}

type Made = Promise<{ readonly session: ort.InferenceSession; readonly compiledBy: "runtime" | "disk" }>;

interface Entry {
  users: number;
  readonly made: Made;
}

/** Sessions in use, and idle ones, the one that became idle first being the first. */
const alive = new Map<string, Entry>();

/**
 * Graphs whose values take more than this use the process's allocator, which all of them share; smaller ones each keep
 * an arena of their own, which makes them a sixth faster at width 64 and no faster at width 1024.
 */
const LARGEST_ARENA_BYTES = 320 * 2 ** 20;

/** @throws JitError `compile` when ONNX Runtime refuses the graph */
export async function sessionFor(graph: Graph, options: SessionOptions): Promise<SharedSession> {
  const model = encodeModel(graph);
  const key = keyOf(model, options);
  const known = alive.get(key);
  const entry = known ?? { users: 0, made: create(model, key, peakBytes(graph) <= LARGEST_ARENA_BYTES, options) };
  entry.users += 1;
  alive.set(key, entry);
  const release = async (): Promise<void> => {
    entry.users -= 1;
    if (entry.users === 0) {
      alive.delete(key);
      alive.set(key, entry); // the last of the idle ones
      await releaseIdleSessions(options.keepIdle);
    }
  };
  try {
    const { session, compiledBy } = await entry.made;
    return { session, compiledBy: known === undefined ? compiledBy : "memory", release };
  } catch (cause) {
    alive.delete(key);
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new JitError("compile", `ONNX Runtime refused the graph: ${message}`, { cause });
  }
}

/** Frees sessions that nobody uses, but for the `keep` that became idle last. */
export async function releaseIdleSessions(keep = 0): Promise<void> {
  const idle = [...alive].filter(([, { users }]) => users === 0);
  for (const [key, { made }] of idle.slice(0, Math.max(idle.length - keep, 0))) {
    alive.delete(key);
    await (await made).session.release();
  }
}

/** Everything that an optimised graph depends on: the model, the runtime's version, the options, the processor. */
function keyOf(model: Uint8Array, { threads, optimization }: SessionOptions): string {
  const about = [ort.env.versions.node, optimization, threads, arch(), cpus()[0]?.model].join("\n");
  return createHash("sha256").update(about).update("\n").update(model).digest("hex");
}

async function create(model: Uint8Array, key: string, arena: boolean, options: SessionOptions): Made {
  const { threads, optimization, cacheFolder } = options;
  const base: ort.InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    logSeverityLevel: 3,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const plain = { ...base, graphOptimizationLevel: optimization };
  if (cacheFolder === undefined) {
    return { session: await ort.InferenceSession.create(model, plain), compiledBy: "runtime" };
  }
  const file = join(cacheFolder, `${key}.onnx`);
  const kept = await readGraph(file);
  if (kept !== undefined) {
    try {
      const session = await ort.InferenceSession.create(kept, { ...base, graphOptimizationLevel: "disabled" });
      return { session, compiledBy: "disk" };
    } catch {
      await rm(file, { force: true }); // made again below
    }
  }
  const written = join(tmpdir(), `tfjs-jit-${process.pid}-${key}.onnx`);
  try {
    const session = await ort.InferenceSession.create(model, { ...plain, optimizedModelFilePath: written });
    await keepGraph(file, await readFile(written));
    return { session, compiledBy: "runtime" };
  } finally {
    await rm(written, { force: true });
  }
}
