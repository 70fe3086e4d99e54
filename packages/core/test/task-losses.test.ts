// Losses of multi-label and regression tasks against PyTorch (fixtures/task_losses.py), on every eager backend.
import { readFileSync } from "node:fs";
import {
  binaryCrossEntropy,
  createEagerEngine,
  crossEntropy,
  EAGER_BACKENDS,
  huberLoss,
  l1Loss,
  resolvePositiveWeights,
  squaredLoss,
  valueAndGradients,
} from "@merclab/core";
import { type Tensor, type Tensor1D, type Tensor2D, tensor1d } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { expectClose, fromStored, type StoredTensor, valuesOf } from "./support/tensors.ts";

interface LossCase {
  readonly value: number;
  readonly gradient: StoredTensor;
}

const fixture = JSON.parse(readFileSync(new URL("./fixtures/task-losses.json", import.meta.url), "utf8")) as Record<
  "logits" | "held" | "outputs" | "scores",
  StoredTensor
> &
  Record<"binaryCrossEntropy" | "weighted" | "l1" | "mse", LossCase> & {
    mask: number[];
    positiveWeights: number[];
    deltas: number[];
    huber: LossCase[];
  };

const mask = () => tensor1d(fixture.mask);
const labelSets = () => ({ held: fromStored(fixture.held) as Tensor2D, mask: mask() });
const scores = () => ({ scores: fromStored(fixture.scores) as Tensor1D, mask: mask() });

function check(example: LossCase | undefined, input: StoredTensor, loss: (x: Tensor2D) => Tensor): void {
  const x = fromStored(input) as Tensor2D;
  const { value, gradients } = valueAndGradients(() => loss(x), { x });
  expect(value.shape).toEqual([]);
  expectClose(valuesOf(value), [example?.value ?? Number.NaN]);
  expectClose(valuesOf(gradients.x as Tensor), example?.gradient.data ?? []);
}

describe.each(EAGER_BACKENDS)("on %s, equal to PyTorch in value and gradient", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  it("binary cross-entropy", () => {
    check(fixture.binaryCrossEntropy, fixture.logits, (x) => binaryCrossEntropy(x, labelSets()));
  });

  it("binary cross-entropy with positive weights", () => {
    check(fixture.weighted, fixture.logits, (x) => binaryCrossEntropy(x, labelSets(), fixture.positiveWeights));
  });

  it("mean absolute error, with no gradient where a score is met", () => {
    check(fixture.l1, fixture.outputs, (x) => l1Loss(x, scores()));
    expect(fixture.l1.gradient.data[0]).toBe(0);
  });

  it("mean squared error", () => {
    check(fixture.mse, fixture.outputs, (x) => squaredLoss(x, scores()));
  });

  it.each(fixture.deltas.map((delta, at) => [delta, at]))("Huber's loss with delta %d", (delta, at) => {
    check(fixture.huber[at], fixture.outputs, (x) => huberLoss(x, scores(), delta));
  });

  it("are 0, and not 0/0, where nothing counts", () => {
    const none = tensor1d([0]);
    const one = () => fromStored({ shape: [1, 1], data: [3] }) as Tensor2D;
    expect(valuesOf(l1Loss(one(), { scores: tensor1d([1]), mask: none }))).toEqual([0]);
    expect(valuesOf(binaryCrossEntropy(one(), { held: one(), mask: none }))).toEqual([0]);
  });

  it("refuse the targets of another task", () => {
    const logits = fromStored(fixture.logits) as Tensor2D;
    expect(() => crossEntropy(logits, scores())).toThrow(/single-label/);
    expect(() => binaryCrossEntropy(logits, scores())).toThrow(/multi-label/);
    expect(() => l1Loss(logits, labelSets())).toThrow(/regression/);
  });
});

describe("positive weights", () => {
  it("are (N - n) / n per label, and 1 where one side is empty", () => {
    expect(resolvePositiveWeights("inverse-frequency", [2, 8, 0, 10], 10)).toEqual([4, 0.25, 1, 1]);
    expect(resolvePositiveWeights("none", [2], 10)).toBeUndefined();
  });

  it("must be one per label", () => {
    expect(() => resolvePositiveWeights([1, 2], [3, 4, 5], 10)).toThrow(/2 numbers, the task has 3 labels/);
  });
});
