// What all baselines share: a modality that was not observed contributes zeros, and a modality "alone" is the same
// computation with all others unobserved.
import type { Context, Fusion, FusionOutputs, Inputs, ParameterSpec, Parameters, Streams } from "@merclab/core";
import {
  addN,
  div,
  expandDims,
  maximum,
  mul,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  zerosLike,
} from "@tensorflow/tfjs-core";

/** Streams with zeros where nothing was observed, in the order of the list. */
export interface Observed {
  readonly modalities: readonly string[];
  /** Each `[tokens, dim]`. */
  readonly rows: readonly Tensor2D[];
  /** Each `[tokens]`, 1 = observed. */
  readonly present: readonly Tensor1D[];
  readonly layout: Inputs["layout"];
}

export type BaselineOutputs = Pick<FusionOutputs, "fused" | "shown">;

/** A fusion of one function over what was observed. */
export function createBaseline(
  modalities: readonly string[],
  dim: number,
  parameters: readonly ParameterSpec[],
  fuse: (parameters: Parameters, observed: Observed, context: Context) => BaselineOutputs,
): Fusion {
  return {
    dim,
    gives: new Set(["streams" as const, "alone" as const]),
    parameters,
    apply: (values, streams, inputs, context) => {
      const observed = observe(modalities, streams, inputs);
      const alone = (modality: string) => fuse(values, without(observed, modality), context).fused;
      const named = Object.fromEntries(modalities.map((name, m) => [name, observed.rows[m] as Tensor2D]));
      return { ...fuse(values, observed, context), streams: named, alone };
    },
  };
}

function observe(modalities: readonly string[], streams: Streams, { present, layout }: Inputs): Observed {
  const masks = modalities.map((name) => present[name] as Tensor1D);
  const rows = modalities.map((name, m) => masked(streams[name] as Tensor2D, masks[m] as Tensor1D));
  return { modalities, rows, present: masks, layout };
}

/** All modalities but one unobserved. */
function without({ modalities, rows, present, layout }: Observed, kept: string): Observed {
  const keep = <T extends Tensor>(list: readonly T[]): T[] =>
    list.map((each, m) => (modalities[m] === kept ? each : (zerosLike(each) as T)));
  return { modalities, rows: keep(rows), present: keep(present), layout };
}

/** Rows with zeros where the mask is 0. */
export function masked(rows: Tensor2D, mask: Tensor1D): Tensor2D {
  return mul(rows, expandDims(mask, 1)) as Tensor2D;
}

/** Mean of rows over the modalities that were observed; zeros where none was. */
export function meanOfObserved(rows: readonly Tensor2D[], { present }: Pick<Observed, "present">): Tensor2D {
  const counted = rows.map((row, m) => masked(row, present[m] as Tensor1D));
  const count = maximum(addN([...present]), 1);
  return div(addN(counted), expandDims(count, 1)) as Tensor2D;
}
