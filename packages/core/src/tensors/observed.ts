// What a model may see of a modality.
import { expandDims, mul, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import type { Inputs } from "../contracts/modules.ts";

/** Features of a modality, zeros where it was not observed, whatever stands there. `[tokens, dim]` */
export function observedFeatures(
  { features, present }: Pick<Inputs, "features" | "present">,
  modality: string,
): Tensor2D {
  return mul(features[modality] as Tensor2D, expandDims(present[modality] as Tensor1D, 1)) as Tensor2D;
}
