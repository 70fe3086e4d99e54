// The tiny configuration of Ada2I's golden values and the deterministic filling of its tensors.
import { createLayout, type Inputs, type ParameterSpec, type Parameters, sizeOf, type Targets } from "@merclab/core";
import {
  ada2iEncoderOptions,
  ada2iFusionOptions,
  createAda2iEncoder,
  createAda2iFusion,
  disparityRatioPlugin,
} from "@merclab/fusion-ada2i";
import { assembleModel } from "@merclab/trainer";
import { type Tensor, type Tensor2D, tensor, tensor1d } from "@tensorflow/tfjs-core";
import { crossEntropyPlugin } from "../../packages/core/src/plugins/objectives.ts";

export type Letters = "a" | "t" | "v";

const MODALITIES = {
  a: { name: "audio", dim: 10, offset: 0.1 },
  t: { name: "text", dim: 12, offset: 0.2 },
  v: { name: "visual", dim: 14, offset: 0.3 },
} as const;

export const NAMES: Readonly<Record<Letters, string>> = { a: "audio", t: "text", v: "visual" };
const LABELS = [0, 3, 5, 1, 2, 4, 0, 2];
const CLASSES = 6;

export interface GoldenVariant {
  readonly letters?: readonly Letters[];
  readonly encoder?: Readonly<Record<string, unknown>>;
  readonly fusion?: Readonly<Record<string, unknown>>;
  /** γ of the `trans_*` weights. */
  readonly gamma?: number;
}

/** @param padding `as-published` for the golden values */
export function goldenModel(variant: GoldenVariant = {}, padding: "masked" | "as-published" = "as-published") {
  const { letters = ["a", "t", "v"], encoder: encoderGiven = {}, fusion: fusionGiven = {} } = variant;
  const task = { type: "single-label" as const, classes: Array.from({ length: CLASSES }, (_, c) => `c${c}`) };
  const site = { modalities: letters.map((letter) => MODALITIES[letter]), numSpeakers: 2 };
  const isLstm = encoderGiven.kind === "lstm";
  const encoder = createAda2iEncoder(
    ada2iEncoderOptions.parse({ dim: 6, dropout: 0, ...(isLstm ? {} : { padding }), ...encoderGiven }),
    site,
  );
  const fusion = createAda2iFusion(
    ada2iFusionOptions.parse({ rank: 3, beta: 0.7, dropout: 0, padding, ...fusionGiven }),
    encoder,
  );
  const objective = crossEntropyPlugin.create(crossEntropyPlugin.options.parse({}), {
    task,
    modalities: encoder.modalities,
    dim: encoder.dim,
    trainClassCounts: new Array(CLASSES).fill(1),
    trainUtterances: CLASSES,
  });
  const parametersOf = Object.fromEntries(
    encoder.modalities.map((modality) => [
      modality,
      encoder.parameters.filter((spec) => spec.modality === modality).map(({ name }) => name),
    ]),
  );
  const balancer = disparityRatioPlugin.create(disparityRatioPlugin.options.parse({ alpha: 0.4, noise: false }), {
    modalities: encoder.modalities,
    parametersOf,
  });
  return { model: assembleModel({ encoder, fusion, objective, balancer }, task), encoder, fusion };
}

/** Tensors in the order of the declarations, which is that of the official state dict. */
export function goldenParameters(specs: readonly ParameterSpec[], gamma = 2): Record<string, Tensor> {
  return Object.fromEntries(specs.map((spec, p) => [spec.name, tensor(fill(spec, p, gamma), [...spec.shape])]));
}

function fill({ name, shape }: ParameterSpec, p: number, gamma: number): Float32Array {
  const factor = name.includes("trans_") ? gamma : name.includes("lin_att") ? 2 : 1;
  const columns = shape[1];
  return Float32Array.from({ length: sizeOf(shape) }, (_, k) => {
    const s = Math.sin(1.7 * k + 0.9 * p + 0.3);
    if (columns !== undefined) {
      return (factor * s) / Math.sqrt(columns);
    }
    return /norm\d\.weight$/.test(name) ? 1 + 0.1 * s : 0.2 * s;
  });
}

/** @param dialogues lengths; all of the golden batch, or its first dialogue alone */
export function goldenBatch(
  letters: readonly Letters[] = ["a", "t", "v"],
  lengths: readonly number[] = [3, 5],
): { inputs: Inputs; targets: Targets } {
  const layout = createLayout(lengths);
  const packed = (letter: Letters): Tensor2D => {
    const { dim, offset } = MODALITIES[letter];
    const rows = lengths.flatMap((length, b) =>
      Array.from({ length: length * dim }, (_, at) => {
        const t = Math.floor(at / dim);
        return Math.sin(0.5 * b + 0.8 * t * t + 1.1 * (at % dim) * (t + 1) + offset);
      }),
    );
    return tensor(rows, [layout.tokens, dim]) as Tensor2D;
  };
  const labels = LABELS.slice(0, layout.tokens);
  return {
    inputs: {
      features: Object.fromEntries(letters.map((letter) => [NAMES[letter], packed(letter)])),
      present: Object.fromEntries(letters.map((letter) => [NAMES[letter], layout.tokenMask])),
      speakers: tensor1d(new Array(layout.tokens).fill(0), "int32"),
      layout,
    },
    targets: { labels: tensor1d(labels, "int32"), mask: layout.tokenMask },
  };
}

/** Parameters of one group of the printed gradient norms. */
export function partOf(gradients: Parameters, part: "all" | Letters | "AFW" | "head"): Tensor[] {
  const prefix = { all: "", AFW: "net.mmt.", head: "net.fc_out." }[part as string] ?? `net.encoder.${part}.`;
  return Object.entries(gradients)
    .filter(([name]) => name.startsWith(prefix))
    .map(([, gradient]) => gradient);
}
