// What runs model code. An engine takes a pure function over trees of tensors and gives one that may be traced,
// compiled and reuse memory; eager engines just run it.

export interface Engine {
  readonly name: string;
  /** True where every new shape costs a compilation: batches are then rounded up to a few buckets. */
  readonly compilesShapes?: boolean;
  /** Makes the engine the one that tensors live on. @throws MerclabError `engine` */
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
