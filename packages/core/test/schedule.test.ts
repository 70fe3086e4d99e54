import {
  corePlugins,
  createEagerEngine,
  learningRate,
  type Parameters,
  type Plugin,
  type Schedule,
} from "@merclab/core";
import { scalar, type Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { expectClose, valuesOf } from "./support/tensors.ts";

beforeAll(() => createEagerEngine("cpu").start());

const plain: Schedule = {
  kind: "constant",
  warmupSteps: 0,
  totalSteps: 12,
  stepsPerEpoch: 1,
  floor: 0,
  gamma: 1,
  everyEpochs: 1,
};

/** Learning rates of the first steps, from 0.1. */
function rates(schedule: Partial<Schedule>, steps: number): number[] {
  return Array.from({ length: steps }, (_, step) =>
    valuesOf(learningRate(0.1, { ...plain, ...schedule }, scalar(step))),
  ).flat();
}

// Values of torch.optim.lr_scheduler (PyTorch 2.15): SGD with lr 0.1, the rate before each step.
describe("learning rates", () => {
  it("fall as CosineAnnealingLR(T_max=12, eta_min=0.01)", () => {
    expectClose(
      rates({ kind: "cosine", floor: 0.1 }, 13),
      [
        0.1, 0.098466662, 0.093971143, 0.086819805, 0.0775, 0.066646857, 0.055, 0.043353143, 0.0325, 0.023180195,
        0.016028857, 0.011533338, 0.01,
      ],
    );
  });

  it("fall as LinearLR(1.0, 0.2, total_iters=12), and stay there", () => {
    const expected = Array.from({ length: 13 }, (_, i) => 0.1 - (0.08 * i) / 12);
    expectClose(rates({ kind: "linear", floor: 0.2 }, 15), [...expected, 0.02, 0.02]);
  });

  it("fall as ExponentialLR(0.9) where an epoch is a step, and smoothly within longer ones", () => {
    expectClose(rates({ kind: "exponential", gamma: 0.9 }, 6), [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049]);
    expectClose(rates({ kind: "exponential", gamma: 0.81, stepsPerEpoch: 2 }, 3), [0.1, 0.09, 0.081]);
  });

  it("fall as StepLR(step_size=2, gamma=0.5), at the first step of an epoch", () => {
    const expected = [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125];
    expectClose(rates({ kind: "staircase", gamma: 0.5, everyEpochs: 2 }, 7), expected);
    const long = rates({ kind: "staircase", gamma: 0.5, everyEpochs: 7, stepsPerEpoch: 13 }, 91 * 3);
    long.forEach((rate, step) => {
      expect(rate).toBeCloseTo(0.1 * 0.5 ** Math.floor(step / 91), 6);
    });
  });

  it("rise first: LinearLR(0.25, 1.0, total_iters=3), then CosineAnnealingLR(T_max=8)", () => {
    expectClose(
      rates({ kind: "cosine", warmupSteps: 4 }, 13),
      [
        0.025, 0.05, 0.075, 0.1, 0.1, 0.096193977, 0.085355339, 0.069134172, 0.05, 0.030865828, 0.014644661,
        0.003806023, 0,
      ],
    );
  });

  it("reach the weights through the optimisers' options, in epochs", () => {
    const plugin = corePlugins.find(({ name }) => name === "sgd") as Plugin<"optimizer">;
    const options = plugin.options.parse({ lr: 1, momentum: 0, schedule: { kind: "linear", warmupEpochs: 1 } });
    const optimizer = plugin.create(options, { epochs: 3, stepsPerEpoch: 2 });
    let parameters: Parameters = { w: scalar(0) };
    let state = optimizer.init(parameters);
    const moved: number[] = [];
    for (let step = 0; step < 6; step++) {
      const before = valuesOf(parameters.w as Tensor)[0] ?? Number.NaN;
      ({ parameters, state } = optimizer.update(parameters, { w: scalar(1) }, state));
      moved.push(before - (valuesOf(parameters.w as Tensor)[0] ?? Number.NaN));
    }
    expectClose(moved, [0.5, 1, 1, 0.75, 0.5, 0.25]);
  });
});
