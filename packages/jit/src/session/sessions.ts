// Sessions of ONNX Runtime by the content of their model: equal graphs share one, whoever traced them, and optimised
// graphs are kept on disk where a folder is given, for later processes.
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";
import { encodeModel, type Graph } from "../graph/onnx.ts";
import type { Value } from "../graph/value.ts";
import { keepDevice } from "./device-array.ts";
import { keepGraph, readGraph } from "./graph-cache.ts";
import { UNCONVERTED } from "./graph-run.ts";
import { type Profile, ProfileFolder } from "./profile.ts";
import { peakBytes } from "./report.ts";
import { nodesForProcessor } from "./webgpu-fallback.ts";

/** What runs the graph: the processor, or any GPU through WebGPU (the processor takes the nodes that this cannot). */
export type Device = "cpu" | "webgpu";

export interface SessionOptions {
  readonly device: Device;
  /** Threads of one operation; ONNX Runtime's choice when absent. */
  readonly threads: number | undefined;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
  /** Folder of optimised graphs. */
  readonly cacheFolder: string | undefined;
  /** Sessions that nobody uses any more which stay for later users, in the whole process. */
  readonly keepIdle: number;
  /** Profile one run; such a session is not shared. */
  readonly profile: boolean;
  /** Outputs that stay on the device; none on "cpu". */
  readonly staying: readonly Value[];
}

export interface SharedSession {
  readonly session: ort.InferenceSession;
  readonly compiledBy: "runtime" | "memory" | "disk";
  /** Ends the profile after a run and reads it; present where one was asked for. */
  readonly endProfile?: () => Promise<Profile>;
  /** Lets go of it; the session is freed when its last user does. */
  release(): Promise<void>;
}

type Made = Promise<{
  readonly session: ort.InferenceSession;
  readonly compiledBy: "runtime" | "disk";
  readonly profile?: ProfileFolder | undefined;
}>;

interface Entry {
  users: number;
  readonly made: Made;
}

/** Sessions in use, and idle ones, the one that became idle first being the first. */
const alive = new Map<string, Entry>();
let profiled = 0;

/**
 * Graphs whose values take more than this use the process's allocator, which all of them share; smaller ones each keep
 * an arena of their own, which makes them a sixth faster at width 64 and no faster at width 1024.
 */
const LARGEST_ARENA_BYTES = 320 * 2 ** 20;

/** @throws JitError `device` when there is no GPU adapter, `compile` when ONNX Runtime refuses the graph */
export async function sessionFor(graph: Graph, options: SessionOptions): Promise<SharedSession> {
  const model = encodeModel(graph, options.device === "cpu" ? { sequence: UNCONVERTED } : {});
  const graphKey = keyOf(model, options);
  const key = options.profile ? `${graphKey} profile ${profiled++}` : graphKey;
  const known = alive.get(key);
  const entry = known ?? { users: 0, made: create(model, graph, graphKey, options) };
  entry.users += 1;
  alive.set(key, entry);
  const release = async (): Promise<void> => {
    entry.users -= 1;
    if (entry.users === 0) {
      alive.delete(key);
      alive.set(key, entry); // the last of the idle ones
      await releaseIdleSessions(options.profile ? 0 : options.keepIdle);
    }
  };
  try {
    const { session, compiledBy, profile } = await entry.made;
    const shared = { session, compiledBy: known === undefined ? compiledBy : ("memory" as const), release };
    if (profile === undefined) {
      return shared;
    }
    const endProfile = async (): Promise<Profile> => {
      session.endProfiling();
      return await profile.read().finally(() => profile.remove());
    };
    return { ...shared, endProfile };
  } catch (cause) {
    alive.delete(key);
    const message = cause instanceof Error ? cause.message : String(cause);
    if (options.device === "webgpu" && message.includes("Failed to get a WebGPU adapter")) {
      throw new JitError("device", "no GPU adapter was found for WebGPU", { cause });
    }
    throw new JitError("compile", `ONNX Runtime refused the graph: ${message}`, { cause });
  }
}

/** Frees sessions that nobody uses, but for the `keep` that became idle last. */
export async function releaseIdleSessions(keep = 0): Promise<void> {
  const idle = [...alive].filter(([, { users }]) => users === 0);
  for (const [key, { made }] of idle.slice(0, Math.max(idle.length - keep, 0))) {
    alive.delete(key);
    const { session, profile } = await made;
    await session.release();
    await profile?.remove();
  }
}

/** Everything that an optimised graph depends on: the model, the runtime's version, the options, the processor. */
function keyOf(model: Uint8Array, { device, threads, optimization, staying }: SessionOptions): string {
  const names = staying.map(({ name }) => name).join();
  const about = [ort.env.versions.node, device, optimization, threads, names, arch(), cpus()[0]?.model].join("\n");
  return createHash("sha256").update(about).update("\n").update(model).digest("hex");
}

async function create(model: Uint8Array, graph: Graph, key: string, options: SessionOptions): Made {
  const profile = options.profile ? await ProfileFolder.create() : undefined;
  try {
    return { ...(await createSession(model, graph, key, options, profile)), profile };
  } catch (error) {
    await profile?.remove();
    throw error;
  }
}

async function createSession(
  model: Uint8Array,
  graph: Graph,
  key: string,
  options: SessionOptions,
  profile: ProfileFolder | undefined,
): Made {
  const { device, threads, optimization, cacheFolder, staying } = options;
  if (device === "webgpu") {
    keepDevice();
  }
  const arena = peakBytes(graph) <= LARGEST_ARENA_BYTES;
  const base: ort.InferenceSession.SessionOptions = {
    executionProviders: [providerOf(device, graph)],
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile.prefix }),
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    logSeverityLevel: 3,
    // The first would undo what the rule of products does on purpose, the second copies what is added before the product.
    extra: { optimization: { disable_specified_optimizers: "GemmTransposeFusion;MatMulAddFusion" } },
    ...(staying.length === 0 ? {} : { preferredOutputLocation: locationsOf(graph, staying) }),
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const plain = { ...base, graphOptimizationLevel: optimization };
  // A graph that was optimised for a GPU depends on the adapter, which the key does not know.
  if (cacheFolder === undefined || device !== "cpu") {
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

function locationsOf({ outputs }: Graph, staying: readonly Value[]): Record<string, "cpu" | "gpu-buffer"> {
  return Object.fromEntries(outputs.map((value) => [value.name, staying.includes(value) ? "gpu-buffer" : "cpu"]));
}

function providerOf(device: Device, graph: Graph): ort.InferenceSession.ExecutionProviderConfig {
  const forceCpuNodeNames = device === "webgpu" ? nodesForProcessor(graph) : [];
  return forceCpuNodeNames.length === 0 ? device : { name: "webgpu", forceCpuNodeNames };
}
