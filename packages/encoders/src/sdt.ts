// SDT's encoder: for each target modality one intra-modal and one inter-modal transformer per other modality, a
// sigmoid gate on each, concatenation and reduction to one sequence. H. Ma et al., "A Transformer-Based Model With
// Self-Distillation for Multimodal Emotion Recognition in Conversations", IEEE TMM 26 (2024), official code
// github.com/butterfliesss/SDT (model.py). Works on any list of modalities; parameter names are the official ones.
import {
  type Context,
  concatLast,
  contextWithin,
  definePlugin,
  dropout,
  type Encoder,
  type EncoderSite,
  embed,
  embeddingWithPadding,
  type Inputs,
  identity,
  linear,
  linearSpecs,
  MerclabError,
  observedFeatures,
  ofModality,
  type ParameterSpec,
  type Parameters,
  parameter,
  positionEncoding,
  shortModalityName,
  uniformFanIn,
} from "@merclab/core";
import { add, matMul, mul, reshape, sigmoid, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { applySdtTransformer, sdtTransformerSpecs } from "./sdt-transformer.ts";

const settings = z.strictObject({
  variant: z
    .enum(["as-published", "as-described"])
    .default("as-published")
    .describe(
      "`as-published`: the official code; `as-described`: the paper's figure. Sets the defaults of single switches",
    ),
  dim: z.int().positive().multipleOf(2).default(1024).describe("width of every stream; a multiple of numHeads, even"),
  numHeads: z.int().positive().default(8),
  numLayers: z.int().positive().default(1).describe("layers of each transformer"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("on the embedded input, the attention, after gelu, before both residuals"),
  paths: z.enum(["both", "intra", "inter"]).default("both").describe("which transformers each modality gets"),
  /**
   * Gate on each transformer's output Y: σ(G·Y)⊙Y with G `learned`; `identity`: G fixed to the identity (the official
   * code on MELD); `bare`: the same without carrying the matrices; `none`: Y itself.
   */
  unimodalGate: z
    .enum(["learned", "identity", "bare", "none"])
    .optional()
    .describe(
      "learned; identity: G frozen as the identity, carried in weights (the code on MELD); bare: the same without the matrices; none: F = Y. bare for as-described",
    ),
  inputDropout: z
    .enum(["per-transformer", "per-modality"])
    .optional()
    .describe("dropout of the embedded input: drawn in each transformer (code), or once per modality (figure)"),
  positions: z
    .boolean()
    .default(true)
    .describe("position encoding; without it permuting utterances permutes the streams"),
  speakers: z.boolean().default(true).describe("speaker embedding"),
});

const VARIANTS = {
  "as-published": { unimodalGate: "learned", inputDropout: "per-transformer" },
  "as-described": { unimodalGate: "bare", inputDropout: "per-modality" },
} as const;

export const sdtEncoderOptions = settings.transform((given) => ({
  ...VARIANTS[given.variant],
  ...dropUndefined(given),
}));

export type SdtEncoderOptions = z.output<typeof sdtEncoderOptions>;

/** A transformer of the encoder: target gives queries and residual, source gives keys and values. */
interface Path {
  readonly source: string;
  readonly target: string;
  /** `<source>_<target>` in short names, e.g. `a_t`. */
  readonly name: string;
}

export function createSdtEncoder(options: SdtEncoderOptions, site: EncoderSite): Encoder {
  const { dim, numHeads } = options;
  if (dim % numHeads !== 0) {
    throw new MerclabError("config", `encoder sdt: dim ${dim} is no multiple of numHeads ${numHeads}`);
  }
  const modalities = site.modalities.map(({ name }) => name);
  if (options.paths === "inter" && modalities.length === 1) {
    throw new MerclabError(
      "combination",
      `encoder sdt: paths "inter" needs two modalities, got ${modalities[0]} alone`,
    );
  }
  const paths = modalities.map((target) => pathsTo(target, modalities, options));
  const specs = sdtSpecs(options, site, paths);
  refuseSharedNames(specs, modalities);
  return {
    modalities,
    dim,
    parameters: specs,
    apply: (parameters, inputs, context) => {
      const embedded = embedInputs(parameters, modalities, inputs, options, context);
      return Object.fromEntries(
        paths.map((toTarget, i) => {
          const gated = toTarget.map((path) => {
            const pathContext = contextWithin(context, path.name);
            const encoded = applySdtTransformer(parameters, path, embedded, inputs, options, pathContext);
            return gate(parameters, path, encoded, options);
          });
          const target = modalities[i] as string;
          return [target, linear(parameters, `features_reduce_${shortModalityName(target)}`, concatLast(gated))];
        }),
      );
    },
  };
}

/** Own modality first, then the others in the order of the list: the order of concatenation. */
function pathsTo(target: string, modalities: readonly string[], options: SdtEncoderOptions): Path[] {
  const others = modalities.filter((modality) => modality !== target);
  const sources = { both: [target, ...others], intra: [target], inter: others }[options.paths];
  return sources.map((source) => ({
    source,
    target,
    name: `${shortModalityName(source)}_${shortModalityName(target)}`,
  }));
}

/** All parameters in the order of the official state dict. */
function sdtSpecs(options: SdtEncoderOptions, site: EncoderSite, paths: readonly Path[][]): ParameterSpec[] {
  const { dim, unimodalGate } = options;
  const speakers = options.speakers
    ? [{ name: "speaker_embeddings.weight", shape: [site.numSpeakers + 1, dim], initial: embeddingWithPadding }]
    : [];
  // What one modality has for itself: its input map, and its intra-modal transformer with the gate on it.
  const own = (path: Path, specs: readonly ParameterSpec[]) =>
    path.source === path.target ? ofModality(path.source, specs) : specs;
  const inputs = site.modalities.flatMap(({ name, dim: inDim }) =>
    ofModality(name, [
      {
        name: `${inputName(name)}.weight`,
        shape: [dim, inDim, 1], // a convolution of kernel 1
        initial: uniformFanIn(inDim),
      },
    ]),
  );
  const gates = (unimodalGate === "learned" || unimodalGate === "identity" ? paths.flat() : []).flatMap((path) =>
    own(path, [
      {
        name: `${path.name}_gate.fc.weight`,
        shape: [dim, dim],
        initial: unimodalGate === "identity" ? identity : uniformFanIn(dim),
        frozen: unimodalGate === "identity",
      },
    ]),
  );
  return [
    ...speakers,
    ...inputs,
    ...paths.flat().flatMap((path) => own(path, sdtTransformerSpecs(path.name, options))),
    ...gates,
    ...paths.flatMap((toTarget, i) => {
      const target = shortModalityName(site.modalities[i]?.name ?? "");
      return linearSpecs(`features_reduce_${target}`, toTarget.length * dim, dim);
    }),
  ];
}

/** Short names are joined with underscores, so that free names of modalities can meet: `text` and `t`, for one. */
function refuseSharedNames(specs: readonly ParameterSpec[], modalities: readonly string[]): void {
  const names = specs.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new MerclabError(
      "combination",
      `encoder sdt: modalities ${modalities.join(", ")} give two parameters the name "${twice}"`,
      { hint: "Rename a modality of the data set." },
    );
  }
}

const INPUT_NAMES: ReadonlyMap<string, string> = new Map([
  ["text", "textf"],
  ["audio", "acouf"],
  ["visual", "visuf"],
]);

/** Official names of the input maps: textf_input, acouf_input, visuf_input. */
function inputName(modality: string): string {
  return `${INPUT_NAMES.get(modality) ?? modality}_input`;
}

/** Projected features plus position and speaker embeddings, `[tokens, dim]` per modality. */
function embedInputs(
  parameters: Parameters,
  modalities: readonly string[],
  inputs: Inputs,
  options: SdtEncoderOptions,
  context: Context,
): Record<string, Tensor2D> {
  const { dim } = options;
  const added: Tensor[] = [];
  if (options.positions) {
    added.push(positionEncoding(inputs.layout, dim));
  }
  if (options.speakers) {
    added.push(embed(parameter(parameters, "speaker_embeddings.weight") as Tensor2D, inputs.speakers));
  }
  const shared = added.reduce<Tensor | undefined>(
    (sum, next) => (sum === undefined ? next : add(sum, next)),
    undefined,
  );
  return Object.fromEntries(
    modalities.map((modality) => {
      const features = observedFeatures(inputs, modality);
      const weight = parameter(parameters, `${inputName(modality)}.weight`);
      const projected = matMul(features, reshape(weight, [dim, features.shape[1]]) as Tensor2D, false, true);
      const sum = (shared === undefined ? projected : add(projected, shared)) as Tensor2D;
      const dropped =
        options.inputDropout === "per-modality" ? dropout(sum, options.dropout, context, `input.${modality}`) : sum;
      return [modality, dropped];
    }),
  );
}

/** F = σ(G·Y) ⊙ Y. */
function gate(parameters: Parameters, path: Path, encoded: Tensor2D, options: SdtEncoderOptions): Tensor2D {
  switch (options.unimodalGate) {
    case "none":
      return encoded;
    case "learned":
      return mul(sigmoid(linear(parameters, `${path.name}_gate.fc`, encoded)), encoded) as Tensor2D;
    case "identity": // the frozen matrix is the identity: no product is needed
    case "bare":
      return mul(sigmoid(encoded), encoded) as Tensor2D;
  }
}

function dropUndefined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

export const sdtEncoderPlugin = definePlugin({
  kind: "encoder",
  name: "sdt",
  summary: "SDT: intra- and inter-modal transformers with unimodal gates, any subset of modalities",
  options: sdtEncoderOptions,
  create: createSdtEncoder,
});
