// An optimiser is a pure function from parameters, gradients and its own state to new ones, in the manner of optax.
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Parameters } from "../parameters/parameters.ts";

/** Moments and counters by name. */
export type OptimizerState = Readonly<Record<string, Tensor>>;

/** What an optimiser's factory is told about the training. */
export interface OptimizerSite {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
}

export interface Optimizer {
  /** State for the trainable parameters given. */
  init(parameters: Parameters): OptimizerState;
  /** One step. Gradients carry the same names as the parameters. */
  update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
  ): { readonly parameters: Parameters; readonly state: OptimizerState };
}
