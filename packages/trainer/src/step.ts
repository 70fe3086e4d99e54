// One training step as a pure function of state, batch and random source: what an engine compiles.
import {
  type Clock,
  type Context,
  type Inputs,
  type Optimizer,
  type OptimizerState,
  type Parameters,
  type RandomSource,
  type Targets,
  valueAndGradients,
} from "@merclab/core";
import { dispose, keep, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
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
  /** For schedules; absent = they are at their end. */
  readonly clock?: Clock;
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

/** Gradients as the optimiser gets them. */
export interface Balanced {
  /** By name, those of trainable parameters that the loss depends on. */
  readonly gradients: Parameters;
  /** Scalars by name; `total` is what was minimised. */
  readonly losses: StepResult["losses"];
}

/** Forward, loss, backward and balance. */
export function balancedGradients(
  model: Model,
  parameters: Parameters,
  batch: TrainingBatch,
  random: RandomSource,
): Balanced {
  const trainable = trainableParameters(model, parameters);
  const context: Context = batch.clock === undefined ? { random } : { random, clock: batch.clock };
  let terms: Readonly<Record<string, Tensor>> = {};
  let unimodal: Readonly<Record<string, Tensor2D>> = {};
  const { value, gradients } = valueAndGradients(() => {
    const loss = model.loss(parameters, batch.inputs, batch.targets, context);
    // Kept, since what a differentiated function does not return is freed with its tape.
    terms = Object.fromEntries(Object.entries(loss.terms).map(([name, term]) => [name, keep(term)]));
    unimodal = Object.fromEntries(Object.entries(loss.unimodal ?? {}).map(([name, logits]) => [name, keep(logits)]));
    return loss.total;
  }, trainable);
  const balanced = model.balancer.balance(gradients, { unimodal, targets: batch.targets }, context);
  dispose({ ...unimodal });
  return { gradients: balanced.gradients, losses: { ...terms, ...balanced.shown, total: value } };
}

/** Gradients and update. */
export function trainStep(
  model: Model,
  optimizer: Optimizer,
  state: TrainState,
  batch: TrainingBatch,
  random: RandomSource,
): StepResult {
  const { gradients, losses } = balancedGradients(model, state.parameters, batch, random);
  const updated = optimizer.update(trainableParameters(model, state.parameters), gradients, state.optimizer);
  return { state: { parameters: { ...state.parameters, ...updated.parameters }, optimizer: updated.state }, losses };
}
