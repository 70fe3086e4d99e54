// Attention over the utterances of each dialogue in which the modality that is attended to was observed.
import {
  type AttentionOptions,
  attendWithinDialogues,
  type Context,
  type Layout,
  linear,
  type Parameters,
} from "@merclab/core";
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";

/** Names of the linear maps of queries, keys and values. */
export interface Projections {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/** What attends to what. */
export interface Attending {
  /** `[tokens, dim]` */
  readonly query: Tensor2D;
  /** `[tokens, dim]`, of which keys and values are made. */
  readonly memory: Tensor2D;
  /** `[tokens]`, 1 = row of `memory` that may be attended to. */
  readonly present: Tensor1D;
  readonly layout: Layout;
}

/** Projects queries, keys and values, and attends. @returns `[tokens, dim]`, before the output projection */
export function attendPresent(
  parameters: Parameters,
  names: Projections,
  { query, memory, present, layout }: Attending,
  options: AttentionOptions,
  context: Context,
): Tensor2D {
  const q = linear(parameters, names.query, query);
  const k = linear(parameters, names.key, memory);
  const v = linear(parameters, names.value, memory);
  return attendWithinDialogues({ q, k, v, present, layout }, options, context);
}
