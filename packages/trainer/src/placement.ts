// A fusion that is not behind the encoder: features are mapped to one width and fused at once. Before the encoder, this,
// as the host, encodes the fused sequence as if it were the only modality; beside it, the host encodes the features, and
// both results are added.
import {
  type Context,
  concatLast,
  contextWithin,
  type Encoder,
  type Fusion,
  type FusionOutputs,
  type Inputs,
  type Loss,
  linear,
  linearSpecs,
  type ModalityInfo,
  ofModality,
  type Parameters,
  type Streams,
} from "@merclab/core";
import { add, addN, expandDims, minimum, mul, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";

/** An encoder that only maps the features, and a fusion that holds the host. */
interface Placed {
  readonly encoder: Encoder;
  readonly fusion: Fusion;
}

const FUSED = "fused";

/**
 * @param fusion made for the features mapped to `dim`
 * @param createHost the encoder for the fused sequence
 */
export function placeEarly(
  fusion: Fusion,
  dim: number,
  modalities: readonly ModalityInfo[],
  createHost: (fused: ModalityInfo) => Encoder,
): Placed {
  const host = createHost({ name: FUSED, dim: fusion.dim });
  const names = modalities.map(({ name }) => name);
  const skip = fusion.placement === "early-residual";
  return {
    encoder: featureMaps("early", dim, modalities),
    fusion: {
      ...hosting(host, fusion, skip ? linearSpecs("early.skip", names.length * dim, fusion.dim) : []),
      dim: host.dim,
      apply: (parameters, streams, inputs, context): FusionOutputs => {
        const outputs = fusion.apply(parameters, streams, inputs, contextWithin(context, "early"));
        const { fused } = outputs;
        const sequence = skip ? (add(fused, skipped(parameters, names, streams, inputs)) as Tensor2D) : fused;
        const observed = names.map((name) => inputs.present[name] as Tensor1D);
        const hosted: Inputs = {
          ...inputs,
          features: { [FUSED]: sequence },
          present: { [FUSED]: minimum(addN(observed), 1) as Tensor1D },
        };
        const encoded = encode(host, parameters, hosted, context);
        return combined(encoded.streams[FUSED] as Tensor2D, outputs, encoded.losses);
      },
    },
  };
}

/**
 * @param fusion made for the features mapped to `dim`
 * @param host the encoder for the features
 */
export function placeParallel(fusion: Fusion, dim: number, modalities: readonly ModalityInfo[], host: Encoder): Placed {
  const join = linearSpecs("parallel.join", host.modalities.length * host.dim, fusion.dim);
  return {
    encoder: featureMaps("parallel", dim, modalities),
    fusion: {
      ...hosting(host, fusion, join),
      dim: fusion.dim,
      apply: (parameters, streams, inputs, context): FusionOutputs => {
        const outputs = fusion.apply(parameters, streams, inputs, contextWithin(context, "parallel"));
        const encoded = encode(host, parameters, inputs, context);
        const side = concatLast(host.modalities.map((name) => encoded.streams[name] as Tensor2D));
        const joined = add(linear(parameters, "parallel.join", side), outputs.fused) as Tensor2D;
        return combined(joined, outputs, encoded.losses);
      },
    },
  };
}

/** One linear map per modality, `<prefix>.<modality>`, `[tokens, dim_m]` to `[tokens, dim]`. */
function featureMaps(prefix: string, dim: number, modalities: readonly ModalityInfo[]): Encoder {
  return {
    modalities: modalities.map(({ name }) => name),
    dim,
    parameters: modalities.flatMap(({ name, dim: inDim }) =>
      ofModality(name, linearSpecs(`${prefix}.${name}`, inDim, dim)),
    ),
    apply: (parameters, inputs) =>
      Object.fromEntries(
        modalities.map(({ name }) => [
          name,
          linear(parameters, `${prefix}.${name}`, inputs.features[name] as Tensor2D),
        ]),
      ),
  };
}

function hosting(host: Encoder, fusion: Fusion, between: Fusion["parameters"]) {
  return {
    gives: new Set<never>(),
    ...(host.seesPadding === undefined ? {} : { seesPadding: host.seesPadding }),
    parameters: [...fusion.parameters, ...between, ...host.parameters],
  };
}

function encode(host: Encoder, parameters: Parameters, inputs: Inputs, context: Context) {
  const within = contextWithin(context, "host");
  return host.applyWithLosses === undefined || context.random === undefined
    ? { streams: host.apply(parameters, inputs, within), losses: {} }
    : host.applyWithLosses(parameters, inputs, within);
}

function combined(fused: Tensor2D, { shown, losses }: FusionOutputs, hostLosses: Loss["terms"]): FusionOutputs {
  return { fused, ...(shown === undefined ? {} : { shown }), losses: { ...losses, ...hostLosses } };
}

/** A linear map of all modalities side by side, zeros where one was not observed. */
function skipped(parameters: Parameters, names: readonly string[], streams: Streams, inputs: Inputs): Tensor2D {
  const rows = names.map(
    (name) => mul(streams[name] as Tensor2D, expandDims(inputs.present[name] as Tensor1D, 1)) as Tensor2D,
  );
  return linear(parameters, "early.skip", concatLast(rows));
}
