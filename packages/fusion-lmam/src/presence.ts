// Masks of observed modalities. A missing row is never attended to; a missing query says nothing at its utterance,
// and sums over modalities are rescaled to the number of their terms. With everything observed all factors are 1.
import { type Inputs, type Layout, padTokens } from "@merclab/core";
import {
  add,
  addN,
  div,
  expandDims,
  max,
  maximum,
  minimum,
  mul,
  reshape,
  stack,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tensor4d,
  transpose,
} from "@tensorflow/tfjs-core";
import type { Match } from "./matches.ts";

export interface Presence {
  /** `[tokens, 1]`: 1 where at least one modality was observed. */
  readonly observed: Tensor2D;
  /** Per modality `[tokens]`: 1 where it takes part in sums. Where nothing was observed, all do. */
  readonly contributes: Readonly<Record<string, Tensor1D>>;
  /** Per modality `[tokens]`: 1 where it may be attended to. */
  readonly present: Readonly<Record<string, Tensor1D>>;
}

/** What a match may look at, and what its pairs count at each utterance. */
export interface MatchMasks {
  /** `[batch, 1 or time · queries, memories, time]`: 1 = may be attended to. */
  readonly valid: Tensor4D;
  /** `[batch, time · queries, memories, 1]`: 1 where the query contributes and the memory has a row to attend to. */
  readonly pairs: Tensor4D;
}

export function createPresence(inputs: Inputs, modalities: readonly string[]): Presence {
  const present: Record<string, Tensor1D> = {};
  for (const name of modalities) {
    const mask = inputs.present[name];
    if (mask === undefined) {
      throw new Error(`lmam: the batch has no presence mask for "${name}"`);
    }
    present[name] = mask;
  }
  const any = minimum(addN(Object.values(present)), 1);
  const none = sub(1, any);
  const contributes = Object.fromEntries(
    Object.entries(present).map(([name, mask]) => [name, add(mask, none) as Tensor1D]),
  );
  return { observed: expandDims(any, 1) as Tensor2D, contributes, present };
}

export function matchMasks(presence: Presence, match: Match, causal: boolean, layout: Layout): MatchMasks {
  const { batch, time } = layout;
  const numQueries = match.queries.length;
  const numMemories = match.memories.length;
  const memories = transpose(padColumns(presence.present, match.memories, layout), [0, 2, 1]); // [batch, memories, time]
  const anywhere = reshape(memories, [batch, 1, numMemories, time]);
  const valid = causal ? mul(anywhere, upToNow(time, numQueries)) : anywhere;
  const queries = reshape(padColumns(presence.contributes, match.queries, layout), [batch, time * numQueries, 1, 1]);
  return { valid: valid as Tensor4D, pairs: mul(queries, max(valid, -1, true)) as Tensor4D };
}

/**
 * Factor that turns a sum over the terms that are there into one over all terms, or into a mean.
 *
 * @param there number of terms at each place, any shape
 * @param terms number of terms with everything observed
 */
export function rescale(there: Tensor, terms: number, reduce: "sum" | "mean"): Tensor {
  return div(reduce === "sum" ? terms : 1, maximum(there, 1));
}

/** Masks `[tokens]` of some modalities as `[batch, time, modalities]`. */
function padColumns(masks: Readonly<Record<string, Tensor1D>>, names: readonly string[], layout: Layout): Tensor3D {
  return padTokens(
    stack(
      names.map((name) => masks[name] as Tensor1D),
      1,
    ) as Tensor2D,
    layout,
  );
}

/** `[1, time · queries, 1, time]`: 1 where memory j is not after utterance i. */
function upToNow(time: number, numQueries: number): Tensor4D {
  const values = new Float32Array(time * numQueries * time);
  for (let row = 0; row < time * numQueries; row++) {
    values.fill(1, row * time, row * time + Math.floor(row / numQueries) + 1);
  }
  return tensor4d(values, [1, time * numQueries, 1, time]);
}
