// jit(fn): a function of tensors that is traced once per set of shapes and dtypes, and run by ONNX Runtime.

import type { Tensor } from "@tensorflow/tfjs-core";
import { JitError } from "./errors.ts";
import { sameShape, sizeOf, type Value } from "./graph/value.ts";
import type { HostBackend } from "./session/host-backend.ts";
import { hostBackend } from "./session/host-backend.ts";
import { Program } from "./session/program.ts";
import { type CompileReport, type ProgramReport, reportOf } from "./session/report.ts";
import { type Device, type SessionOptions, sessionFor } from "./session/sessions.ts";
import { describeTensor } from "./trace/describe.ts";
import { type Traced, traceFunction } from "./trace/trace-function.ts";
import { type FlatTree, flattenTree, treeKey } from "./tree.ts";

export interface JitOptions {
  /** Arguments whose tensors are disposed after the run; results may take their memory. */
  readonly donate?: readonly number[];
  /** Threads of one operation; ONNX Runtime's choice (one per core) when absent. */
  readonly threads?: number;
  /** What runs the graph, "cpu" when absent. On "webgpu" results of the shape of something donated stay there. */
  readonly device?: Device;
  /** ONNX Runtime's own optimiser. */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
  /** Folder in which optimised graphs are kept for later processes; any number of them may share it. Of "cpu" only. */
  readonly cacheFolder?: string;
  /**
   * Compiled graphs that stay in the process for later functions that are traced to the same ones, when nobody uses
   * them any more; `releaseIdleSessions` frees them.
   */
  readonly keepIdle?: number;
  /** Graphs kept at a time, one per set of shapes; the one that was not used for longest goes first. */
  readonly maxGraphs?: number;
  /** Profile the first run of every graph, for `placement` and `slowestOps` in `explain()`. */
  readonly profile?: boolean;
}

export interface Jitted<A extends readonly unknown[], R> {
  /** Runs; arguments must stay undisposed until the promise is settled. */
  (...args: A): Promise<R>;
  /** One report per compiled graph that is kept. */
  explain(): Promise<readonly ProgramReport[]>;
  /** Frees the compiled graphs, after runs in progress; results stay. */
  dispose(): Promise<void>;
}

/** Compiled functions that are alive; with the last one, arrays that wait for reuse are let go. */
let alive = 0;

/**
 * Compiles a pure, synchronous function over trees (plain objects and arrays) of tensors. Numbers, strings and booleans
 * in the arguments are constants of the graph, as are tensors that the function closes over, in the state they had when
 * it was traced.
 *
 * @throws JitError from the call: what cannot be traced, compiled or run
 */
export function jit<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  {
    donate = [],
    device = "cpu",
    threads,
    optimization = "all",
    maxGraphs = 32,
    cacheFolder,
    keepIdle = 0,
    profile = false,
  }: JitOptions = {},
): Jitted<A, R> {
  checkOptions({ donate, device, maxGraphs, ...(threads === undefined ? {} : { threads }) });
  const host = hostBackend();
  const kept = new Map<string, Entry>();
  const closing = new Set<Promise<void>>();
  let disposed = false;
  alive += 1;

  const retire = (key: string, entry: Entry): void => {
    kept.delete(key);
    const closed = close(entry).finally(() => closing.delete(closed));
    closing.add(closed);
  };

  /** Traces at once where the shapes are new; compiling goes on behind the promise. */
  const entryFor = (flat: FlatTree, donated: ReadonlySet<Tensor>): Entry => {
    const key = treeKey(flat);
    const known = kept.get(key);
    if (known !== undefined) {
      kept.delete(key); // back at the end: the least recently used is the first
      kept.set(key, known);
      return known;
    }
    const started = performance.now();
    const traced = traceFunction(fn as (...args: never[]) => unknown, flat, { allInGraph: device === "webgpu" });
    const signature = flat.tensors.map(describeTensor).join(" ");
    const about = { device, signature, traceMs: performance.now() - started };
    const staying = device === "webgpu" ? stayingOutputs(traced, flat.tensors, donated) : [];
    const options = { device, threads, optimization, cacheFolder, keepIdle, profile, staying };
    const entry: Entry = { compiled: compile(traced, host, options, about), runs: new Set() };
    kept.set(key, entry);
    entry.compiled.catch(() => kept.delete(key)); // the caller gets the error from its own run
    for (const [oldKey, old] of kept) {
      if (kept.size <= maxGraphs) {
        break;
      }
      retire(oldKey, old);
    }
    return entry;
  };

  const call = async (...args: A): Promise<R> => {
    if (disposed) {
      throw new JitError("disposed", "the compiled function was disposed");
    }
    const flat = flattenTree(args, "the arguments");
    const donated = new Set(donate.flatMap((at) => flattenTree(args[at], `argument ${at}`).tensors));
    const entry = entryFor(flat, donated);
    const { tensors, hostValues } = flat;
    const run = entry.compiled.then(({ program }) => program.run({ tensors, hostValues, donated }));
    entry.runs.add(run);
    try {
      const result = (await run) as R;
      disposeDonated(donated, result);
      return result;
    } finally {
      entry.runs.delete(run);
    }
  };

  return Object.assign(call, {
    explain: async () => {
      const compiled = await Promise.all([...kept.values()].map((entry) => entry.compiled));
      return compiled.map(({ program, report }) => reportOf(program, report));
    },
    dispose: async () => {
      if (disposed) {
        return;
      }
      disposed = true;
      for (const [key, entry] of kept) {
        retire(key, entry);
      }
      await Promise.all(closing);
      alive -= 1;
      if (alive === 0) {
        host.store.clear();
      }
    },
  });
}

interface Compiled {
  readonly program: Program;
  readonly report: CompileReport;
  release(): Promise<void>;
}

interface Entry {
  readonly compiled: Promise<Compiled>;
  /** Runs in progress, which a graph outlives. */
  readonly runs: Set<Promise<unknown>>;
}

async function compile(
  traced: Traced,
  host: HostBackend,
  options: SessionOptions,
  about: Pick<CompileReport, "device" | "signature" | "traceMs">,
): Promise<Compiled> {
  if (traced.graph.outputs.length === 0) {
    const report = { ...about, compileMs: 0, compiledBy: "nothing" as const };
    return { program: new Program(traced, undefined, host), report, release: async () => {} };
  }
  const started = performance.now();
  const { session, compiledBy, endProfile, release } = await sessionFor(traced.graph, options);
  const report = { ...about, compileMs: performance.now() - started, compiledBy };
  const program = new Program(traced, session, host, {
    endProfile,
    staying: options.staying,
    device: options.device,
  });
  return { program, report, release };
}

/** State: outputs with the dtype and shape of something donated. What is one number is read by the host more often. */
function stayingOutputs(traced: Traced, tensors: readonly Tensor[], donated: ReadonlySet<Tensor>): Value[] {
  const state = traced.parameters.filter((_, i) => donated.has(tensors[i] as Tensor));
  return traced.graph.outputs.filter(
    ({ dtype, shape }) =>
      dtype === "float32" &&
      sizeOf(shape) > 1 &&
      state.some((each) => sameShape(each.shape, shape) && each.dtype === dtype),
  );
}

async function close({ compiled, runs }: Entry): Promise<void> {
  await Promise.allSettled(runs);
  const [settled] = await Promise.allSettled([compiled]);
  if (settled.status === "fulfilled") {
    await settled.value.release();
  }
}

/** Tensors of donated arguments, but for those that came out again. */
function disposeDonated(donated: ReadonlySet<Tensor>, result: unknown): void {
  if (donated.size === 0) {
    return;
  }
  const kept = new Set(flattenTree(result, "the result").tensors);
  for (const tensor of donated) {
    if (!kept.has(tensor) && !tensor.isDisposed) {
      tensor.dispose();
    }
  }
}

function checkOptions({ donate, device, threads, maxGraphs }: JitOptions): void {
  if (device !== "cpu" && device !== "webgpu") {
    throw new RangeError(`jit: expected the device cpu or webgpu, got ${device}`);
  }
  if (donate?.some((at) => !Number.isInteger(at) || at < 0) === true) {
    throw new RangeError(`jit: donate takes places of arguments, got ${donate.join(", ")}`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new RangeError(`jit: expected a positive number of threads, got ${threads}`);
  }
  if (maxGraphs !== undefined && !(Number.isInteger(maxGraphs) && maxGraphs > 0)) {
    throw new RangeError(`jit: expected a positive number of graphs, got ${maxGraphs}`);
  }
}
