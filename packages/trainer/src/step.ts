// One training step as a pure function of state, batch and random source: what an engine compiles.
import {
  type Inputs,
  type Optimizer,
  type OptimizerState,
  type Parameters,
  type RandomSource,
  type Targets,
  valueAndGradients,
} from "@merclab/core";
import { keep, type Tensor } from "@tensorflow/tfjs-core";
import type { Model } from "./model.ts";

/** Everything that a step changes. */
export interface TrainState {
  /** All parameters, frozen ones included. */
  readonly parameters: Parameters;
  readonly optimizer: OptimizerState;
}

export interface TrainingBatch {
  readonly inputs: Inputs;
  readonly targets: Targets;
}

export interface StepResult {
  readonly state: TrainState;
  /** Scalars by name; `total` is what was minimised. */
  readonly losses: Readonly<Record<string, Tensor>>;
}

/** Trainable parameters by name, without the frozen ones. */
export function trainableParameters(model: Model, parameters: Parameters): Parameters {
  const frozen = new Set(model.parameters.filter((spec) => spec.frozen === true).map((spec) => spec.name));
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !frozen.has(name)));
}

/** Forward, loss, backward and update. */
export function trainStep(
  model: Model,
  optimizer: Optimizer,
  state: TrainState,
  batch: TrainingBatch,
  random: RandomSource,
): StepResult {
  const trainable = trainableParameters(model, state.parameters);
  let terms: Readonly<Record<string, Tensor>> = {};
  const { value, gradients } = valueAndGradients(() => {
    const loss = model.loss(state.parameters, batch.inputs, batch.targets, { random });
    // Kept, since what a differentiated function does not return is freed with its tape.
    terms = Object.fromEntries(Object.entries(loss.terms).map(([name, term]) => [name, keep(term)]));
    return loss.total;
  }, trainable);
  const updated = optimizer.update(trainable, gradients, state.optimizer);
  return {
    state: { parameters: { ...state.parameters, ...updated.parameters }, optimizer: updated.state },
    losses: { ...terms, total: value },
  };
}
