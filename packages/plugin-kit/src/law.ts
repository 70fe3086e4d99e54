// A law: what must hold for every plugin, how it is checked, and what to do where it does not hold.
import type { Subject } from "./subject.ts";

export interface Finding {
  /** What was measured, in a few words. */
  readonly figures: string;
  /** What is wrong, one line each; none where the law holds. */
  readonly problems: readonly string[];
}

export interface Law {
  /** One word, e.g. `padding`. */
  readonly name: string;
  /** The law as a sentence. */
  readonly says: string;
  /** What usually mends it. */
  readonly advice: string;
  /** The engine that tensors live on while it is checked; `own`: the law starts engines itself. */
  readonly engine: "wasm" | "cpu" | "own";
  check(subject: Subject): Finding | Promise<Finding>;
}

export interface LawReport extends Finding {
  readonly law: string;
  readonly says: string;
  readonly holds: boolean;
  /** Absent where the law holds. */
  readonly advice?: string;
}
