// SDT's multimodal-level gated fusion: a softmax over the modalities, separately for each feature, weighs their
// sequences; one matrix is shared by all modalities. Official code github.com/butterfliesss/SDT, model.py.
import {
  concatLast,
  definePlugin,
  type Fusion,
  type FusionSite,
  linear,
  linearSpecs,
  type ParameterSpec,
  type Parameters,
  stopGradient,
} from "@merclab/core";
import { addN, div, exp, maximum, mean, mul, sub, type Tensor, type Tensor2D, zerosLike } from "@tensorflow/tfjs-core";
import { z } from "zod";

const settings = z.strictObject({
  variant: z
    .enum(["as-published", "as-described"])
    .default("as-published")
    .describe("`as-published`: the official code; `as-described`: the paper's figure. Sets the default of `gate`"),
  /**
   * `learned`: g = softmax over modalities of W·H; `bare`: of H itself; `scalar`: one weight per modality and
   * utterance, the mean of W·H over features; `mean`, `sum`, `concat`: no gate.
   */
  gate: z
    .enum(["learned", "bare", "scalar", "mean", "sum", "concat"])
    .optional()
    .describe("how streams are weighed: see the README of packages/fusion-sdt"),
});

export const sdtFusionOptions = settings.transform(({ variant, gate }) => ({
  variant,
  gate: gate ?? (variant === "as-published" ? ("learned" as const) : ("bare" as const)),
}));

export type SdtFusionOptions = z.output<typeof sdtFusionOptions>;

export function createSdtFusion({ gate }: SdtFusionOptions, site: FusionSite): Fusion {
  const { modalities, dim } = site;
  // One modality alone needs no gate, as the softmax over it is 1.
  const gated = modalities.length > 1 && (gate === "learned" || gate === "scalar");
  const parameters: ParameterSpec[] = gated ? linearSpecs("last_gate.fc", dim, dim, false) : [];
  return {
    dim: gate === "concat" ? dim * modalities.length : dim,
    gives: new Set(["streams" as const, "alone" as const]),
    classifierName: "all_output_layer",
    parameters,
    apply: (values, streams) => {
      const list = modalities.map((modality) => streams[modality] as Tensor2D);
      const { fused, gates } = fuse(values, list, gate);
      const alone = (modality: string) => fusedAlone(list, modalities.indexOf(modality), gate);
      if (gates === undefined) {
        return { fused, streams, alone };
      }
      const shown = Object.fromEntries(gates.map((each, i) => [`gate.${modalities[i]}`, each]));
      return { fused, streams, alone, shown };
    },
  };
}

/** @returns fused `[tokens, dim]` and one gate per modality, `[tokens, dim]` or `[tokens, 1]` */
function fuse(
  parameters: Parameters,
  streams: readonly Tensor2D[],
  gate: SdtFusionOptions["gate"],
): { fused: Tensor2D; gates?: readonly Tensor[] } {
  const [first] = streams;
  if (first !== undefined && streams.length === 1) {
    return { fused: first };
  }
  if (gate === "concat") {
    return { fused: concatLast(streams) };
  }
  if (gate === "sum" || gate === "mean") {
    const total = addN([...streams]);
    return { fused: (gate === "sum" ? total : mul(total, 1 / streams.length)) as Tensor2D };
  }
  const scores = streams.map((stream) => {
    const projected = gate === "bare" ? stream : linear(parameters, "last_gate.fc", stream);
    return gate === "scalar" ? mean(projected, 1, true) : projected;
  });
  const gates = softmaxOver(scores);
  return { fused: addN(streams.map((stream, i) => mul(gates[i] as Tensor, stream))) as Tensor2D, gates };
}

/** One modality has all of the gate; in a concatenation the others are zeros. */
function fusedAlone(streams: readonly Tensor2D[], index: number, gate: SdtFusionOptions["gate"]): Tensor2D {
  return gate === "concat"
    ? concatLast(streams.map((stream, i) => (i === index ? stream : (zerosLike(stream) as Tensor2D))))
    : (streams[index] as Tensor2D);
}

/** Softmax over a list of tensors of one shape, element by element. */
function softmaxOver(scores: readonly Tensor[]): Tensor[] {
  const largest = stopGradient(scores.reduce((a, b) => maximum(a, b)));
  const exponentials = scores.map((score) => exp(sub(score, largest)));
  const total = addN(exponentials);
  return exponentials.map((exponential) => div(exponential, total));
}

export const sdtFusionPlugin = definePlugin({
  kind: "fusion",
  name: "sdt",
  summary: "SDT's gated fusion: a softmax over modalities for each feature",
  options: sdtFusionOptions,
  create: createSdtFusion,
});
