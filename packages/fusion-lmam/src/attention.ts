// Scores to attention: α = softmax over valid memory rows of tanh(s), one softmax per query row and memory modality.
import { type Context, dropout, fastTanh, maskedSoftmax } from "@merclab/core";
import { add, matMul, mul, reshape, sum, type Tensor3D, type Tensor4D } from "@tensorflow/tfjs-core";
import type { MatchedSides } from "./matching-weight.ts";
import type { LmamOptions } from "./options.ts";
import type { MatchMasks } from "./presence.ts";

/**
 * Attention of every query row over the rows of each memory modality; 0 where a pair does not count.
 *
 * @returns `[batch, time · queries, memories, time]`
 */
export function matchingAttention(
  sides: MatchedSides,
  masks: MatchMasks,
  scoreActivation: LmamOptions["scoreActivation"],
): Tensor4D {
  const product = matMul(sides.queries, sides.keys, false, true); // [batch, time · queries, memories · time]
  const scores = (sides.keyBias === undefined ? product : add(product, sides.keyBias)) as Tensor3D;
  const [batch, rows, width] = sides.queries.shape;
  const [, , numMemories, time] = masks.valid.shape;
  const activated = reshape(activate(scores, scoreActivation, width), [batch, rows, numMemories, time]);
  return mul(maskedSoftmax(activated, masks.valid), masks.pairs) as Tensor4D;
}

/**
 * The sum of the attention of all query modalities, which meets the values in one product.
 *
 * @param attention `[batch, time · queries, memories, time]`
 * @returns `[batch, time, memories · time]`
 */
export function sumOverQueries(attention: Tensor4D, numQueries: number, rate: number, context: Context): Tensor3D {
  const [batch, rows, numMemories, time] = attention.shape;
  const kept = dropout(attention, rate, context, "attention");
  const columns = numMemories * time;
  if (numQueries === 1) {
    return reshape(kept, [batch, rows, columns]) as Tensor3D;
  }
  return sum(reshape(kept, [batch, rows / numQueries, numQueries, columns]), 2) as Tensor3D;
}

function activate(scores: Tensor3D, activation: LmamOptions["scoreActivation"], width: number): Tensor3D {
  switch (activation) {
    case "tanh":
      return fastTanh(scores);
    case "scaled":
      return mul(scores, 1 / Math.sqrt(width)) as Tensor3D;
    case "identity":
      return scores;
  }
}
