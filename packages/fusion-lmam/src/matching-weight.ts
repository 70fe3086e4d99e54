// The matching weight, s = t·(W x + b): full, or factored as W = U Vᵀ so that both sides meet in a space of the rank's
// width. Values and scores share it; there is no key map, no value map and no head.
import {
  type Layout,
  normal,
  type ParameterSpec,
  type Parameters,
  parameter,
  uniformFanIn,
  zeros,
} from "@merclab/core";
import { add, concat, expandDims, matMul, ones, reshape, type Tensor2D, type Tensor3D } from "@tensorflow/tfjs-core";
import type { Match } from "./matches.ts";
import type { LmamOptions } from "./options.ts";
import { padMemories, padQueries, type RowsOf } from "./rows.ts";

type WeightOptions = Pick<LmamOptions, "rank" | "bias" | "augment" | "valueSpace" | "initStddev">;

/** Both sides of a match, ready for the product that scores them. Width is the dim of the model, or the rank. */
export interface MatchedSides {
  /** `[batch, time · queries, width]` */
  readonly queries: Tensor3D;
  /** `[batch, memories · time, width]` */
  readonly keys: Tensor3D;
  /** b·t, `[batch, 1, memories · time]`, where it is not in the queries already. */
  readonly keyBias?: Tensor3D;
}

/** Parameters of one matching weight; entries of W or U Vᵀ start with standard deviation `initStddev`. */
export function weightSpecs(options: WeightOptions, dim: number, suffix: string): ParameterSpec[] {
  const { rank, initStddev } = options;
  const bias = { name: `lmam.bias${suffix}`, shape: [dim], initial: uniformFanIn(dim) };
  const biases = options.bias === "feature" ? [bias] : [];
  if (rank === null) {
    return [{ name: `lmam.weight${suffix}`, shape: [dim, dim], initial: normal(initStddev) }, ...biases];
  }
  const rows = options.augment === "both" ? dim + 1 : dim;
  const factor = { shape: [rows, rank], initial: normal(Math.sqrt(initStddev) * rank ** -0.25) };
  return [
    { name: `lmam.u${suffix}`, ...factor },
    { name: `lmam.v${suffix}`, ...factor },
    ...(options.bias === "rank" ? [{ name: `lmam.c${suffix}`, shape: [rank], initial: zeros }] : []),
    ...biases,
    ...(options.valueSpace === "rank"
      ? [{ name: `lmam.value.weight${suffix}`, shape: [dim, rank], initial: uniformFanIn(rank) }]
      : []),
  ];
}

/** Projects both sides of a match. The full weight goes to the side with fewer modalities: (t W)·x = t·(W x). */
export function matchSides(
  options: WeightOptions,
  parameters: Parameters,
  match: Match,
  rowsOf: RowsOf,
  layout: Layout,
): MatchedSides {
  const queries = rowsOf(match.queries);
  const memories = rowsOf(match.memories);
  const get = (part: string): Tensor2D => parameter(parameters, `lmam.${part}${match.suffix}`) as Tensor2D;
  const numQueries = match.queries.length;
  const numMemories = match.memories.length;
  const sides = (left: Tensor2D, right: Tensor2D, biasOfKeys: boolean): MatchedSides => ({
    queries: padQueries(left, numQueries, layout),
    keys: padMemories(right, numMemories, layout),
    ...(biasOfKeys ? { keyBias: keyBias(memories, get("bias"), numMemories, layout) } : {}),
  });
  const withBias = options.bias === "feature";
  if (options.rank !== null) {
    const extend = options.augment === "both" ? appendOne : (x: Tensor2D) => x;
    const left = matMul(extend(queries), get("v")) as Tensor2D;
    return sides(
      options.bias === "rank" ? (add(left, get("c")) as Tensor2D) : left,
      matMul(extend(memories), get("u")) as Tensor2D,
      withBias,
    );
  }
  if (numMemories <= numQueries) {
    return sides(queries, matMul(memories, get("weight")) as Tensor2D, withBias);
  }
  const left = matMul(queries, get("weight"), false, true) as Tensor2D;
  return sides(withBias ? (add(left, get("bias")) as Tensor2D) : left, memories, false);
}

function keyBias(memories: Tensor2D, bias: Tensor2D, count: number, layout: Layout): Tensor3D {
  const perRow = matMul(memories, expandDims(bias, 1) as Tensor2D) as Tensor2D; // [tokens · memories, 1]
  return reshape(padMemories(perRow, count, layout), [layout.batch, 1, count * layout.time]) as Tensor3D;
}

function appendOne(x: Tensor2D): Tensor2D {
  return concat([x, ones([x.shape[0], 1]) as Tensor2D], 1);
}
