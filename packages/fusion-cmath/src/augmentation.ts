// The CMA-Transformer: one modality is central, the others are auxiliary. The central stream attends to itself, asks
// every auxiliary stream, and takes in what a gate admits; auxiliary streams are never changed.
import {
  type Context,
  concatLast,
  contextWithin,
  dropout,
  geluErf,
  type Inputs,
  layerNorm,
  layerNormSpecs,
  linear,
  type ParameterSpec,
  type Parameters,
  type Streams,
} from "@merclab/core";
import {
  add,
  addN,
  mul,
  sigmoid,
  softmax,
  stack,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  unstack,
} from "@tensorflow/tfjs-core";
import { affineSpecs, attend, attentionSpecs } from "./layers.ts";
import type { CmathFusionOptions } from "./options.ts";

const NORM_EPSILON = 1e-6;

type BlockOptions = Pick<CmathFusionOptions, "numBlocks" | "numHeads" | "feedForwardDim" | "gate" | "dropout">;

/** How a stream is treated: it leads, it stands among equals, or it looks at itself only. */
export type Role = "central" | "symmetric" | "self";

/** A stream and those that it may ask. */
export interface Augmented {
  readonly modality: string;
  readonly role: Role;
  /** Empty for the role `self`. */
  readonly auxiliaries: readonly string[];
}

const blockName = (modality: string, i: number) => `cmath.${modality}.block.${i}`;

export function augmentationSpecs(
  { modality, role, auxiliaries }: Augmented,
  dim: number,
  { numBlocks, feedForwardDim, gate }: BlockOptions,
): ParameterSpec[] {
  const width = feedForwardDim ?? dim;
  const blocks = Array.from({ length: numBlocks }, (_, i) => {
    const name = blockName(modality, i);
    const asks = auxiliaries.flatMap((other) => [
      ...attentionSpecs(`${name}.${other}`, dim),
      ...layerNormSpecs(`${name}.${other}.norm`, dim),
      ...(role === "central" && gate !== "none" ? affineSpecs(`${name}.${other}.gate`, 2 * dim, dim) : []),
    ]);
    return [
      ...attentionSpecs(`${name}.self`, dim),
      ...layerNormSpecs(`${name}.self_norm`, dim),
      ...(role === "central" ? layerNormSpecs(`${name}.query_norm`, dim) : []),
      ...asks,
      ...(role === "symmetric" ? affineSpecs(`${name}.mix`, (1 + auxiliaries.length) * dim, dim) : []),
      ...affineSpecs(`${name}.feed_forward.0`, dim, width),
      ...affineSpecs(`${name}.feed_forward.1`, width, dim),
      ...layerNormSpecs(`${name}.feed_forward_norm`, dim),
    ];
  });
  return [...blocks.flat(), ...layerNormSpecs(`cmath.${modality}.out_norm`, dim)];
}

/** The fine-grained stream of one modality, `[tokens, dim]`, and mean gates by auxiliary, for pictures. */
export function augment(
  parameters: Parameters,
  augmented: Augmented,
  streams: Streams,
  inputs: Inputs,
  options: BlockOptions,
  context: Context,
): { readonly fine: Tensor2D; readonly gates: Readonly<Record<string, Tensor2D>> } {
  let state = streams[augmented.modality] as Tensor2D;
  let gates: Readonly<Record<string, Tensor2D>> = {};
  for (let i = 0; i < options.numBlocks; i++) {
    const name = blockName(augmented.modality, i);
    const sites = contextWithin(context, name);
    const asked = ask(parameters, name, augmented, state, streams, inputs, options, sites);
    gates = asked.gates;
    const normed = layerNorm(parameters, `${name}.feed_forward_norm`, asked.state, NORM_EPSILON);
    const fed = linear(
      parameters,
      `${name}.feed_forward.1`,
      geluErf(linear(parameters, `${name}.feed_forward.0`, normed)),
    );
    state = add(asked.state, dropout(fed, options.dropout, sites, "fed")) as Tensor2D;
  }
  return { fine: layerNorm(parameters, `cmath.${augmented.modality}.out_norm`, state, NORM_EPSILON), gates };
}

/** A block up to its feed-forward layer. */
function ask(
  parameters: Parameters,
  name: string,
  { modality, role, auxiliaries }: Augmented,
  state: Tensor2D,
  streams: Streams,
  inputs: Inputs,
  options: BlockOptions,
  sites: Context,
): { readonly state: Tensor2D; readonly gates: Readonly<Record<string, Tensor2D>> } {
  const place = (of: string) => ({ present: inputs.present[of] as Tensor1D, layout: inputs.layout });
  const normed = layerNorm(parameters, `${name}.self_norm`, state, NORM_EPSILON);
  const itself = attend(parameters, `${name}.self`, normed, normed, place(modality), options, sites);
  const answer = (query: Tensor2D, other: string): Tensor2D => {
    const memory = layerNorm(parameters, `${name}.${other}.norm`, streams[other] as Tensor2D, NORM_EPSILON);
    return attend(parameters, `${name}.${other}`, query, memory, place(other), options, sites);
  };
  const dropped = (x: Tensor, site: string) => dropout(x, options.dropout, sites, site);
  if (role === "symmetric") {
    const parts = [itself, ...auxiliaries.map((other) => answer(normed, other))];
    const mixed = linear(parameters, `${name}.mix`, concatLast(parts));
    return { state: add(state, dropped(mixed, "mixed")) as Tensor2D, gates: {} };
  }
  const own = add(state, dropped(itself, "self")) as Tensor2D;
  if (role === "self" || auxiliaries.length === 0) {
    return { state: own, gates: {} };
  }
  const query = layerNorm(parameters, `${name}.query_norm`, own, NORM_EPSILON);
  const answers = auxiliaries.map((other) => answer(query, other));
  const gates = admissions(parameters, name, query, auxiliaries, answers, options.gate);
  const admitted = answers.map((given, u) => (gates.length === 0 ? given : mul(gates[u] as Tensor2D, given)));
  return {
    state: add(own, dropped(addN(admitted), "admitted")) as Tensor2D,
    gates: Object.fromEntries(gates.map((gate, u) => [auxiliaries[u], gate])) as Record<string, Tensor2D>,
  };
}

/** One gate `[tokens, dim]` per auxiliary; none where everything is admitted. */
function admissions(
  parameters: Parameters,
  name: string,
  query: Tensor2D,
  auxiliaries: readonly string[],
  answers: readonly Tensor2D[],
  gate: BlockOptions["gate"],
): Tensor2D[] {
  if (gate === "none") {
    return [];
  }
  const scores = auxiliaries.map((other, u) =>
    linear(parameters, `${name}.${other}.gate`, concatLast([query, answers[u] as Tensor2D])),
  );
  return gate === "sigmoid"
    ? scores.map((score) => sigmoid(score))
    : (unstack(softmax(stack(scores, 2)), 2) as Tensor2D[]);
}
