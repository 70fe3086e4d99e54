// What runs model code. An engine takes a pure function over trees of tensors and gives one that may be traced,
// compiled and reuse memory; eager engines just run it.

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
   * also be a RandomSource, which a compiling engine asks for the same sites again on every call. Tensors that the
   * function makes and does not return are freed; arguments stay the caller's, undisposed until the promise is settled.
   */
  compile<A extends readonly unknown[], R>(fn: (...args: A) => R): (...args: A) => Promise<R>;
  /** Frees what the engine holds; tensors must have been disposed before. */
  dispose(): Promise<void>;
}

/** What an engine's factory is told of the run, which changes no number: it is no part of a trial's identity. */
export interface EngineSite {
  /** Threads of one operation. 1 where the plugin says that it uses one. */
  readonly threads: number;
}

/** What an engine plugin says of itself besides name and options. */
export interface EngineTraits {
  /** Place in the order of speed, 1 being the fastest; `auto` takes the first that works. */
  readonly rank: number;
  /** Whether a trial can use several threads. */
  readonly threads: "one" | "many";
  /** Peak memory of a trial's process, as measured: with next to no parameters, and what each parameter adds. */
  readonly memory: { readonly baseBytes: number; readonly bytesPerParameter: number };
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
