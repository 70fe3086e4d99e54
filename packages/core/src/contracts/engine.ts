// What runs model code. An engine takes a pure function over trees of tensors and gives one that may be traced,
// compiled and reuse memory; eager engines just run it.

export interface CompileOptions {
  /** Places of arguments whose tensors are used up: they are disposed, and results may take their memory. */
  readonly donate?: readonly number[];
}

/** What an engine knows of one graph that it compiled. */
export interface GraphReport {
  /** Nodes of the graph as it was traced. */
  readonly nodes: number;
  /** Floating-point operations of the matrix products and convolutions in one run. */
  readonly productFlops: number;
  readonly traceMs: number;
  readonly compileMs: number;
  /** `memory` and `disk`: an equal graph had been compiled before. */
  readonly compiledBy: string;
  readonly runs: number;
  /** Mean milliseconds of a run, by what was done. */
  readonly runMs: Readonly<Record<string, number>>;
}

export interface CompiledFunction<A extends readonly unknown[], R> {
  (...args: A): Promise<R>;
  /** Absent on engines that run every op at once. */
  explain?(): Promise<readonly GraphReport[]>;
}

export interface Engine {
  readonly name: string;
  /** True where every new shape costs a compilation: batches are then rounded up to a few buckets. */
  readonly compilesShapes?: boolean;
  /**
   * Makes the engine the one that tensors live on. A process may start another engine of the same plugin when this one
   * was disposed: it computes what it would in a process of its own.
   *
   * @throws MerclabError `engine`
   */
  start(): Promise<void>;
  /**
   * Wraps a pure function whose arguments and result are trees of tensors (plain objects and arrays); an argument may
   * also be a random source with a key, from which a compiling engine draws the same sites on every call. Tensors that
   * the function makes and does not return are freed. Arguments must stay undisposed until the promise is settled; then
   * they are the caller's, but for donated ones, which live on only where the result holds them. When the promise is
   * rejected before anything ran (a function that cannot be compiled), donated arguments stay as they are.
   */
  compile<A extends readonly unknown[], R>(fn: (...args: A) => R, options?: CompileOptions): CompiledFunction<A, R>;
  /** Frees what the engine holds; tensors must have been disposed before. */
  dispose(): Promise<void>;
}

/** What an engine's factory is told of the run, which changes no number: it is no part of a trial's identity. */
export interface EngineSite {
  /** Threads of one operation. 1 where the plugin says that it uses one. */
  readonly threads: number;
  /** Folder where compiled graphs may be kept for later trials; any number of processes may share it. */
  readonly cacheFolder?: string;
}

/** What an engine plugin says of itself besides name and options. */
export interface EngineTraits {
  /** Place in the order of speed, 1 being the fastest; `auto` takes the first that works. */
  readonly rank: number;
  /** Whether a trial can use several threads. */
  readonly threads: "one" | "many";
  /** Peak memory of a trial's process, as measured: with next to no parameters, and what each parameter adds. */
  readonly memory: { readonly baseBytes: number; readonly bytesPerParameter: number };
  /**
   * Which GPU a trial computes on, where it uses one: `visible`: the first ones of CUDA_VISIBLE_DEVICES, which a runner
   * sets for each trial; `adapter`: the system's default one, whatever that variable says.
   */
  readonly gpu?: "visible" | "adapter";
  /** Whether the engine works on this machine. Leaves nothing behind in the process, beyond modules being loaded. */
  probe(): Promise<EngineProbe>;
}

export interface EngineProbe {
  /** `absent`: this machine lacks what the engine needs; `broken`: it is there, and fails. */
  readonly state: "works" | "absent" | "broken";
  /** What runs, in a few words, or why it does not. */
  readonly found: string;
  /** Versions of what runs, by package, for the results; tfjs's own is stored with every result. */
  readonly versions: Readonly<Record<string, string>>;
  /** What makes it work, where it does not. */
  readonly hint?: string;
}
