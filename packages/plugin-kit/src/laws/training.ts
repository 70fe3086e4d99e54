// What a training step does: the same with the same key, nothing left behind, and a loss that goes down.
import { createAdam, createEagerEngine, type Parameters, type RandomSource } from "@merclab/core";
import {
  balancedGradients,
  type TrainingBatch,
  type TrainState,
  trainableParameters,
  trainStep,
} from "@merclab/trainer";
import { dispose, memory, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { Law } from "../law.ts";
import { batchOf, toTensors } from "../material/batch.ts";
import { short } from "../material/differences.ts";
import { drawnParameters, logitsOf, lossOf, randomOf } from "../material/evaluate.ts";
import { modelOf } from "../subject.ts";

export const repeatableLaw: Law = {
  name: "repeatable",
  says: "the same key gives the same numbers, and evaluation draws none",
  advice:
    "Draw from context.random, by the name of the site; never from Math.random, tf.dropout or tf.randomNormal, and " +
    "remember nothing between calls.",
  engine: "wasm",
  check: (subject) => {
    const model = modelOf(subject);
    const parameters = drawnParameters(model);
    const batch = batchOf();
    const made = toTensors(batch);
    const problems: string[] = [];
    const gradientsOf = (seed: number): number[] => {
      let values: number[] = [];
      tidy(() => {
        const { gradients } = balancedGradients(model, parameters, made, randomOf(seed));
        values = Object.values(gradients).flatMap((gradient) => [...gradient.dataSync()]);
      });
      return values;
    };
    const equal = (a: readonly number[], b: readonly number[]) =>
      a.length === b.length && a.every((x, i) => x === b[i]);
    const train = (seed: number) => lossOf(model, parameters, batch, seed);
    const again = (seed: number) => [train(seed), ...gradientsOf(seed)];
    if (!equal(again(1), again(1))) {
      problems.push("two training steps with the same key differ");
    }
    const evaluate = () => [...logitsOf(model, parameters, batch).flat(), lossOf(model, parameters, batch)];
    if (!equal(evaluate(), evaluate())) {
      problems.push("two evaluations differ");
    }
    const figures = train(1) === train(2) ? "the key changes nothing" : "training depends on the key, as dropout does";
    made.dispose();
    dispose(parameters);
    return { figures, problems };
  },
};

const STEPS = 3;

export const memoryLaw: Law = {
  name: "memory",
  says: "a step leaves no tensor behind, and its arguments alone",
  advice: "Keep no tensor (tf.keep, tf.variable, a field, a cache), and dispose none that you were given.",
  engine: "wasm",
  check: async (subject) => {
    const model = modelOf(subject);
    const parameters = drawnParameters(model);
    const batch = toTensors(batchOf());
    const { inputs, targets } = batch;
    const held = memory().numTensors;
    const step = createEagerEngine("wasm").compile((p: Parameters, given: TrainingBatch, random: RandomSource) =>
      balancedGradients(model, p, given, random),
    );
    const problems: string[] = [];
    try {
      for (let count = 0; count < STEPS; count++) {
        const { gradients, losses } = await step(parameters, { inputs, targets }, randomOf(count));
        dispose([...Object.values(gradients), ...Object.values(losses)]);
      }
      const left = memory().numTensors - held;
      if (left !== 0) {
        problems.push(`${STEPS} steps left ${left} tensors ${left > 0 ? "behind" : "too few"}`);
      }
      return { figures: `${STEPS} steps, ${left} tensors left`, problems };
    } finally {
      batch.dispose();
      dispose(parameters);
    }
  },
};

const LEARNING_STEPS = 6;

export const learningLaw: Law = {
  name: "learning",
  says: "a few steps lower the loss of the batch that they train on",
  advice: "Look at the law on gradients first; then at initial values, which may be far too large or all zero.",
  engine: "wasm",
  check: (subject) => {
    const model = modelOf(subject);
    const parameters = drawnParameters(model);
    const host = batchOf();
    const batch = toTensors(host);
    const optimizer = createAdam({
      lr: 0.01,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0,
      decay: "coupled",
      maxGradientNorm: null,
    });
    const before = lossOf(model, parameters, host);
    let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
    for (let step = 0; step < LEARNING_STEPS; step++) {
      const last = state;
      tidy(() => {
        state = trainStep(model, optimizer, last, batch, randomOf(step)).state;
        return tensorsOf(state);
      });
      const kept = new Set(tensorsOf(state));
      dispose(tensorsOf(last).filter((tensor) => !kept.has(tensor)));
    }
    const after = lossOf(model, state.parameters, host);
    dispose(tensorsOf(state));
    batch.dispose();
    return {
      figures: `loss ${short(before)} → ${short(after)} in ${LEARNING_STEPS} steps`,
      problems: after < before ? [] : [`the loss does not fall: ${short(before)}, then ${short(after)}`],
    };
  },
};

function tensorsOf({ parameters, optimizer }: TrainState): Tensor[] {
  return [...Object.values(parameters), ...Object.values(optimizer)];
}
