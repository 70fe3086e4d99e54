// Sessions of ONNX Runtime by the content of their model: equal graphs share one, whoever traced them, and optimised
// graphs are kept on disk where a folder is given, for later processes.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";

export interface SessionOptions {
  /** Threads of one operation; ONNX Runtime's choice when absent. */
  readonly threads: number | undefined;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
  /** Folder of optimised graphs. */
  readonly cacheFolder: string | undefined;
}

export interface SharedSession {
  readonly session: ort.InferenceSession;
  readonly compiledBy: "runtime" | "memory" | "disk";
  /** Lets go of it; the session is freed when its last user does. */
  release(): Promise<void>;
}

interface Entry {
  users: number;
  readonly made: Promise<{ readonly session: ort.InferenceSession; readonly compiledBy: "runtime" | "disk" }>;
}

const alive = new Map<string, Entry>();

/** @throws JitError `compile` when ONNX Runtime refuses the model */
export async function sessionFor(model: Uint8Array, options: SessionOptions): Promise<SharedSession> {
  const key = keyOf(model, options);
  const known = alive.get(key);
  const entry = known ?? { users: 0, made: create(model, key, options) };
  entry.users += 1;
  alive.set(key, entry);
  const release = async (): Promise<void> => {
    entry.users -= 1;
    if (entry.users === 0) {
      alive.delete(key);
      await (await entry.made).session.release();
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

/** Everything that an optimised graph depends on: the model, the runtime's version, the options, the processor. */
function keyOf(model: Uint8Array, { threads, optimization }: SessionOptions): string {
  const about = [ort.env.versions.node, optimization, threads, arch(), cpus()[0]?.model].join("\n");
  return createHash("sha256").update(about).update("\n").update(model).digest("hex");
}

async function create(model: Uint8Array, key: string, options: SessionOptions): ReturnType<() => Entry["made"]> {
  const base: ort.InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    logSeverityLevel: 3,
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
  };
  const plain = { ...base, graphOptimizationLevel: options.optimization };
  if (options.cacheFolder === undefined) {
    return { session: await ort.InferenceSession.create(model, plain), compiledBy: "runtime" };
  }
  const file = join(options.cacheFolder, `${key}.onnx`);
  const kept = await readKept(file);
  if (kept !== undefined) {
    try {
      const session = await ort.InferenceSession.create(kept, { ...base, graphOptimizationLevel: "disabled" });
      return { session, compiledBy: "disk" };
    } catch {
      await rm(file, { force: true }); // of another build of the runtime, for one; made again below
    }
  }
  const written = join(tmpdir(), `tfjs-jit-${process.pid}-${key}.onnx`);
  try {
    const session = await ort.InferenceSession.create(model, { ...plain, optimizedModelFilePath: written });
    await keep(written, file, options.cacheFolder);
    return { session, compiledBy: "runtime" };
  } finally {
    await rm(written, { force: true });
  }
}

const DIGEST_BYTES = 32;

/** The graph in a file that begins with the digest of the rest; undefined where there is none, or a damaged one. */
async function readKept(file: string): Promise<Uint8Array | undefined> {
  const content = await readFile(file).catch(() => undefined);
  if (content === undefined) {
    return undefined;
  }
  const graph = content.subarray(DIGEST_BYTES);
  const sound = content.length > DIGEST_BYTES && digest(graph).equals(content.subarray(0, DIGEST_BYTES));
  return sound ? graph : undefined;
}

/** Written aside and renamed, so that a reader never sees half of it, whoever else writes. A full disk loses nothing. */
async function keep(optimized: string, file: string, folder: string): Promise<void> {
  const aside = `${file}.${process.pid}`;
  try {
    const graph = await readFile(optimized);
    await mkdir(folder, { recursive: true });
    await writeFile(aside, Buffer.concat([digest(graph), graph]));
    await rename(aside, file);
  } catch {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}

function digest(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
