// The trace that runs, if one does. Tracing is synchronous, so there is at most one.
import type { Trace } from "./trace.ts";

let current: Trace | undefined;

export function currentTrace(): Trace | undefined {
  return current;
}

/** Runs a function with `trace` as the current one. */
export function withTrace<R>(trace: Trace, run: () => R): R {
  current = trace;
  try {
    return run();
  } finally {
    current = undefined;
  }
}
