// Balancers keep one modality from learning at the expense of the others: they change gradients before the optimiser
// sees them. Like every part of a step they neither read values nor branch on them.
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Parameters } from "../parameters/parameters.ts";
import type { Context, Streams } from "./modules.ts";
import type { Targets } from "./task.ts";

/** What a balancer's factory is told about the model. */
export interface BalancerSite {
  readonly modalities: readonly string[];
  /** Per modality, the names of the encoder's trainable parameters that serve it alone. */
  readonly parametersOf: Readonly<Record<string, readonly string[]>>;
}

/** How the modalities fared in this batch. */
export interface BalancerInputs {
  /** Per modality `[tokens, outputDim]`: logits of the classifier for this modality alone. Empty unless needed. */
  readonly unimodal: Streams;
  readonly targets: Targets;
}

export interface Balancer {
  /** `unimodal`: logits per modality; `parameters`: an encoder with parameters for each modality alone. */
  readonly needs: ReadonlySet<"unimodal" | "parameters">;
  /** @returns gradients under the same names, and scalars for curves */
  balance(
    gradients: Parameters,
    inputs: BalancerInputs,
    context: Context,
  ): { readonly gradients: Parameters; readonly shown: Readonly<Record<string, Tensor>> };
}
