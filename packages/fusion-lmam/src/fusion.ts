// LMAM, low-rank matching attention: Shou, Liu, Cao, Meng, Dong, IEEE Trans. Affective Computing 16(2), 2025,
// doi 10.1109/TAFFC.2024.3498443. Every query modality looks into the memory through one matching weight; the
// attention is summed over modalities before it meets the values. Equation numbers are those of the README.
import {
  type Context,
  contextWithin,
  type Fusion,
  type FusionOutputs,
  type FusionSite,
  fastTanh,
  geluErf,
  type Inputs,
  type Layout,
  linear,
  linearSpecs,
  MerclabError,
  type ParameterSpec,
  type Parameters,
  packTokens,
  parameter,
  type Streams,
  uniformFanIn,
} from "@merclab/core";
import {
  add,
  addN,
  expandDims,
  matMul,
  mul,
  relu,
  reshape,
  slice,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
} from "@tensorflow/tfjs-core";
import { matchingAttention, sumOverQueries } from "./attention.ts";
import { type Match, planMatches } from "./matches.ts";
import { matchSides, weightSpecs } from "./matching-weight.ts";
import type { LmamOptions } from "./options.ts";
import { createPresence, matchMasks, type Presence, rescale } from "./presence.ts";
import { createRows, padMemories, type RowsOf, rowsKey } from "./rows.ts";

/** One match after its attention. */
interface Matched {
  readonly match: Match;
  /** `[batch, time · queries, memories, time]` */
  readonly attention: Tensor4D;
  /** `[batch, time, memories · time]` */
  readonly summed: Tensor3D;
  /** `[batch, memories · time, width]` */
  readonly keys: Tensor3D;
  /** `[batch, time, 1]`: how many pairs count at each utterance. */
  readonly pairs: Tensor3D;
}

/** @throws MerclabError `combination` when anchor or rank do not fit the encoder */
export function createLmam(options: LmamOptions, site: FusionSite): Fusion {
  const { outputProjection, placement, width } = options;
  const dim = width ?? site.dim;
  checkRank(options, dim);
  checkStreams(options, site);
  const modalities = placement === "late" ? site.modalities : (site.featureModalities ?? site.modalities);
  const matches = planMatches(options, modalities);
  return {
    dim: outputProjection?.units ?? dim,
    ...(placement === "late" ? {} : { placement, featureDim: dim }),
    gives: new Set(),
    parameters: lmamSpecs(options, matches, dim),
    apply(parameters, streams, inputs, context) {
      return applyLmam(options, matches, modalities, parameters, streams, inputs, context);
    },
  };
}

/** A host that runs over all modalities as one sequence leaves nothing to be matched behind it. */
function checkStreams({ placement }: LmamOptions, { modalities, featureModalities = modalities }: FusionSite): void {
  if (placement === "late" && modalities.length === 1 && featureModalities.length > 1) {
    throw new MerclabError(
      "combination",
      `lmam behind the encoder matches modalities, and this encoder gives one stream of all of them (${modalities[0]})`,
      {
        hint: "Place it before or beside the encoder (placement: early, early-residual or parallel), or set the encoder's input: per-modality.",
      },
    );
  }
}

function checkRank({ rank, allowLargeRank }: LmamOptions, dim: number): void {
  if (rank !== null && rank > dim) {
    throw new MerclabError("combination", `lmam: rank ${rank} is above the width ${dim} of the encoder's streams`, {
      hint: `A ${dim} × ${dim} matrix has rank ${dim} at most; set rank to ${Math.floor(dim / 2)} or less, or to null.`,
    });
  }
  if (rank !== null && rank > dim / 2 && !allowLargeRank) {
    const factored = 2 * dim * rank + rank;
    throw new MerclabError(
      "combination",
      `lmam: rank ${rank} saves nothing at width ${dim}: ${factored} parameters, the full weight has ${dim * dim + dim}`,
      { hint: `Set rank to ${Math.floor(dim / 2)} or less, or to null (full); allowLargeRank: true permits it.` },
    );
  }
}

function lmamSpecs(options: LmamOptions, matches: readonly Match[], dim: number): ParameterSpec[] {
  const { rank, valueSpace, outputProjection } = options;
  return [
    ...matches.flatMap(({ suffix }) => weightSpecs(options, dim, suffix)),
    // One bias however many weights there are: several would only add up.
    ...(rank !== null && valueSpace === "rank"
      ? [{ name: "lmam.value.bias", shape: [dim], initial: uniformFanIn(rank) }]
      : []),
    ...(outputProjection === null ? [] : linearSpecs("lmam.output", dim, outputProjection.units)),
  ];
}

function applyLmam(
  options: LmamOptions,
  matches: readonly Match[],
  modalities: readonly string[],
  parameters: Parameters,
  streams: Streams,
  inputs: Inputs,
  context: Context,
): FusionOutputs {
  const { layout } = inputs;
  const presence = createPresence(inputs, modalities);
  const rowsOf = createRows(streams);
  const matched = matches.map((match): Matched => {
    const masks = matchMasks(presence, match, options.causal, layout);
    const sides = matchSides(options, parameters, match, rowsOf, layout);
    const attention = matchingAttention(sides, masks, options.scoreActivation);
    const sites = contextWithin(context, `lmam${match.suffix}`);
    const summed = sumOverQueries(attention, match.queries.length, options.attentionDropout, sites);
    const counted = reshape(masks.pairs, [layout.batch, layout.time, match.queries.length * match.memories.length]);
    return { match, attention, summed, keys: sides.keys, pairs: sum(counted, -1, true) as Tensor3D };
  });
  const pooled = pool(options, parameters, rowsOf, matched, layout); // [tokens, dim]
  const fused = finish(options, parameters, pooled, streams, presence, modalities);
  // Maps are pictures of evaluation; training would cut them out at every step for nobody.
  return context.random === undefined ? { fused, shown: attentionMaps(matched, layout) } : { fused };
}

/** P, the attended values summed over all pairs: equations (8), (10). `[tokens, dim]` */
function pool(
  options: LmamOptions,
  parameters: Parameters,
  rowsOf: RowsOf,
  matched: readonly Matched[],
  layout: Layout,
): Tensor2D {
  const terms = matched.reduce((count, { match }) => count + match.queries.length * match.memories.length, 0);
  const scale = rescale(addN(matched.map(({ pairs }) => pairs)), terms, options.reduce); // [batch, time, 1]
  const packed = (attention: Tensor3D, values: Tensor3D): Tensor2D =>
    packTokens(mul(matMul(attention, values), scale) as Tensor3D, layout);
  if (options.valueSpace === "rank") {
    const parts = matched.map(({ match, summed, keys }) => {
      const weight = parameter(parameters, `lmam.value.weight${match.suffix}`) as Tensor2D;
      return matMul(packed(summed, keys), weight, false, true);
    });
    return add(addN(parts), parameter(parameters, "lmam.value.bias")) as Tensor2D;
  }
  const memoryLists = new Map(matched.map(({ match }) => [rowsKey(match.memories), match.memories]));
  const parts = [...memoryLists].map(([key, memories]) => {
    const attended = matched.filter(({ match }) => rowsKey(match.memories) === key);
    const values = padMemories(rowsOf(memories), memories.length, layout);
    return packed(addN(attended.map(({ summed }) => summed)), values);
  });
  return addN(parts) as Tensor2D;
}

/** H from P: equations (9), (11), (12), then the optional projection and mask. `[tokens, dim or units]` */
function finish(
  options: LmamOptions,
  parameters: Parameters,
  pooled: Tensor2D,
  streams: Streams,
  presence: Presence,
  modalities: readonly string[],
): Tensor2D {
  const { postForm, residual, anchor, outputProjection } = options;
  let out = postForm === "geluSum" ? geluErf(pooled) : pooled;
  if (residual) {
    const skip = residualSum(options, streams, presence, anchor === null ? modalities : [anchor]);
    out = add(out, skip) as Tensor2D;
  }
  if (outputProjection !== null) {
    out = activateOutput(linear(parameters, "lmam.output", out), outputProjection.activation);
  }
  return options.maskOutput ? (mul(out, presence.observed) as Tensor2D) : out;
}

/** Σ X_k of (9) and (12), or M Σ GELU(X_k) of (11), over the modalities that are there. `[tokens, dim]` */
function residualSum(
  { postForm, reduce }: LmamOptions,
  streams: Streams,
  { contributes }: Presence,
  names: readonly string[],
): Tensor {
  const columns = names.map((name) => expandDims(contributes[name] as Tensor, 1)); // [tokens, 1]
  const rows = names.map((name, i) => {
    const row = streams[name] as Tensor2D;
    return mul(postForm === "sumGelu" ? geluErf(row) : row, columns[i] as Tensor);
  });
  const terms = postForm === "sumGelu" ? names.length * names.length : names.length;
  return mul(addN(rows), rescale(addN(columns), terms, reduce));
}

type OutputActivation = NonNullable<LmamOptions["outputProjection"]>["activation"];

function activateOutput(x: Tensor2D, activation: OutputActivation): Tensor2D {
  switch (activation) {
    case "gelu":
      return geluErf(x);
    case "relu":
      return relu(x);
    case "tanh":
      return fastTanh(x);
    case "identity":
      return x;
  }
}

/** `attention.<query>.<memory>`, each `[batch, time, time]`: rows are queries, 0 where a query is missing. */
function attentionMaps(matched: readonly Matched[], { batch, time }: Layout): Record<string, Tensor> {
  const maps: Record<string, Tensor> = {};
  for (const { match, attention } of matched) {
    const pairs = match.queries.flatMap((query) => match.memories.map((memory) => `attention.${query}.${memory}`));
    const byPair = reshape(attention, [batch, time, pairs.length, time]);
    pairs.forEach((name, i) => {
      maps[name] = reshape(slice(byPair, [0, 0, i, 0], [batch, time, 1, time]), [batch, time, time]);
    });
  }
  return maps;
}
