// A fusion before the encoder: features are mapped to one width and fused at once, and the encoder, as the host, encodes
// the fused sequence as if it were the only modality.
import {
  concatLast,
  contextWithin,
  type Encoder,
  type Fusion,
  type FusionOutputs,
  type Inputs,
  linear,
  linearSpecs,
  type ModalityInfo,
  ofModality,
  type Parameters,
  type Streams,
} from "@merclab/core";
import { add, addN, expandDims, minimum, mul, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";

const FUSED = "fused";

/**
 * @param fusion made for the features mapped to `dim`
 * @param createHost the encoder for the fused sequence
 * @returns an encoder that only maps the features, and a fusion that ends in the host
 */
export function placeEarly(
  fusion: Fusion,
  dim: number,
  modalities: readonly ModalityInfo[],
  createHost: (fused: ModalityInfo) => Encoder,
): { readonly encoder: Encoder; readonly fusion: Fusion } {
  const host = createHost({ name: FUSED, dim: fusion.dim });
  const names = modalities.map(({ name }) => name);
  const skip = fusion.placement === "early-residual";
  return {
    encoder: {
      modalities: names,
      dim,
      parameters: modalities.flatMap(({ name, dim: inDim }) =>
        ofModality(name, linearSpecs(inputName(name), inDim, dim)),
      ),
      apply: (parameters, inputs) =>
        Object.fromEntries(
          names.map((name) => [name, linear(parameters, inputName(name), inputs.features[name] as Tensor2D)]),
        ),
    },
    fusion: {
      dim: host.dim,
      gives: new Set(),
      ...(host.seesPadding === undefined ? {} : { seesPadding: host.seesPadding }),
      parameters: [
        ...fusion.parameters,
        ...(skip ? linearSpecs("early.skip", names.length * dim, fusion.dim) : []),
        ...host.parameters,
      ],
      apply: (parameters, streams, inputs, context): FusionOutputs => {
        const { fused, shown, losses } = fusion.apply(parameters, streams, inputs, contextWithin(context, "early"));
        const sequence = skip ? (add(fused, skipped(parameters, names, streams, inputs)) as Tensor2D) : fused;
        const observed = names.map((name) => inputs.present[name] as Tensor1D);
        const hosted: Inputs = {
          ...inputs,
          features: { [FUSED]: sequence },
          present: { [FUSED]: minimum(addN(observed), 1) as Tensor1D },
        };
        const hostContext = contextWithin(context, "host");
        const encoded =
          host.applyWithLosses === undefined || context.random === undefined
            ? { streams: host.apply(parameters, hosted, hostContext), losses: {} }
            : host.applyWithLosses(parameters, hosted, hostContext);
        return {
          fused: encoded.streams[FUSED] as Tensor2D,
          ...(shown === undefined ? {} : { shown }),
          losses: { ...losses, ...encoded.losses },
        };
      },
    },
  };
}

/** A linear map of all modalities side by side, zeros where one was not observed. */
function skipped(parameters: Parameters, names: readonly string[], streams: Streams, inputs: Inputs): Tensor2D {
  const rows = names.map(
    (name) => mul(streams[name] as Tensor2D, expandDims(inputs.present[name] as Tensor1D, 1)) as Tensor2D,
  );
  return linear(parameters, "early.skip", concatLast(rows));
}

function inputName(modality: string): string {
  return `early.${modality}`;
}
