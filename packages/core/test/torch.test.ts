// Layers, attention, losses and optimisers against PyTorch (fixtures/torch_reference.py), on every eager backend.
import { readFileSync } from "node:fs";
import {
  createAdam,
  createEagerEngine,
  createSgd,
  crossEntropy,
  EAGER_BACKENDS,
  embed,
  fastTanh,
  geluErf,
  geluTanh,
  klDivergence,
  layerNorm,
  linear,
  multiHeadAttention,
  type Optimizer,
  type Parameters,
  valueAndGradients,
} from "@merclab/core";
import {
  mul,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tensor1d,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { expectClose, fromStored, type StoredTensor, valuesOf } from "./support/tensors.ts";

type Stored = Readonly<Record<string, StoredTensor>>;

interface LayerCase {
  readonly inputs: Stored;
  readonly output: StoredTensor;
  readonly upstream: StoredTensor;
  readonly gradients: Stored;
}

interface LossCase {
  readonly inputs: Stored;
  readonly value: number;
  readonly gradients: Stored;
}

interface OptimizerCase {
  readonly name: string;
  readonly options: {
    readonly kind: "adam" | "sgd";
    readonly lr: number;
    readonly weightDecay: number;
    readonly maxGradientNorm: number | null;
    readonly momentum: number;
    readonly betas: [number, number];
    readonly epsilon: number;
    readonly decay: "coupled" | "decoupled";
  };
  readonly initial: Stored;
  readonly gradients: readonly Stored[];
  readonly after: readonly Stored[];
}

const fixture = JSON.parse(readFileSync(new URL("./fixtures/torch.json", import.meta.url), "utf8")) as {
  layers: Record<"linear" | "geluTanh" | "geluErf" | "tanh", LayerCase> & {
    layerNorm: LayerCase & { epsilon: number };
    embedding: LayerCase & { indices: number[] };
    attention: LayerCase & { numHeads: number; keyMask: StoredTensor };
  };
  losses: Record<"crossEntropy" | "weightedCrossEntropy" | "focal" | "weightedFocal" | "klDivergence", LossCase> & {
    labels: number[];
    mask: number[];
    classWeights: number[];
    focalGamma: number;
  };
  optimizers: OptimizerCase[];
};
const { layers, losses, optimizers } = fixture;

function fromAllStored(stored: Stored): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(stored).map(([name, value]) => [name, fromStored(value)]));
}

function expectAllClose(actual: Readonly<Record<string, Tensor>>, expected: Stored, atol: number): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(actual[name]?.shape).toEqual(shape);
    expectClose(valuesOf(actual[name] as Tensor), data, { what: name, atol });
  }
}

function checkLayer(example: LayerCase, apply: (inputs: Parameters) => Tensor, atol = 1e-7): void {
  const inputs = fromAllStored(example.inputs);
  const output = apply(inputs);
  expect(output.shape).toEqual(example.output.shape);
  expectClose(valuesOf(output), example.output.data, { what: "output", atol });
  const upstream = fromStored(example.upstream);
  const { gradients } = valueAndGradients(() => sum(mul(apply(inputs), upstream)), inputs);
  expectAllClose(gradients, example.gradients, atol);
}

function checkLoss(example: LossCase, loss: (inputs: Parameters) => Tensor): void {
  const inputs = fromAllStored(example.inputs);
  const { value, gradients } = valueAndGradients(() => loss(inputs), inputs);
  expect(value.shape).toEqual([]);
  expectClose(valuesOf(value), [example.value]);
  expectAllClose(gradients, example.gradients, 1e-7);
}

describe.each(EAGER_BACKENDS)("on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  describe("layers equal PyTorch's in value and gradient", () => {
    it("linear", () => {
      checkLayer(layers.linear, ({ x, weight, bias }) =>
        linear({ "l.weight": weight as Tensor, "l.bias": bias as Tensor }, "l", x as Tensor2D),
      );
    });

    it("layer norm", () => {
      checkLayer(layers.layerNorm, ({ x, weight, bias }) =>
        layerNorm(
          { "n.weight": weight as Tensor, "n.bias": bias as Tensor },
          "n",
          x as Tensor2D,
          layers.layerNorm.epsilon,
        ),
      );
    });

    it("GELU in the tanh form", () => checkLayer(layers.geluTanh, ({ x }) => geluTanh(x as Tensor)));

    // tfjs has erf to 1.5e-7 (Abramowitz and Stegun 7.1.26), times x up to 6.
    it("GELU in the exact form", () => checkLayer(layers.geluErf, ({ x }) => geluErf(x as Tensor), 1e-6));

    it("tanh by way of the sigmoid", () => checkLayer(layers.tanh, ({ x }) => fastTanh(x as Tensor), 3e-7));

    it("embedding", () => {
      checkLayer(layers.embedding, ({ table }) =>
        embed(table as Tensor2D, tensor1d(layers.embedding.indices, "int32")),
      );
    });

    it("multi-head attention with masked keys", () => {
      const keyMask = fromStored(layers.attention.keyMask) as Tensor2D;
      const options = { numHeads: layers.attention.numHeads, dropout: 0 };
      checkLayer(layers.attention, ({ q, k, v }) =>
        multiHeadAttention(q as Tensor3D, k as Tensor3D, v as Tensor3D, keyMask, options, {}),
      );
    });
  });

  describe("losses equal PyTorch's in value and gradient", () => {
    const targets = () => ({ labels: tensor1d(losses.labels, "int32"), mask: tensor1d(losses.mask) });
    const { classWeights, focalGamma } = losses;

    it("cross-entropy", () => {
      checkLoss(losses.crossEntropy, ({ logits }) => crossEntropy(logits as Tensor2D, targets()));
    });

    it("cross-entropy with class weights", () => {
      checkLoss(losses.weightedCrossEntropy, ({ logits }) =>
        crossEntropy(logits as Tensor2D, targets(), { classWeights }),
      );
    });

    it("focal loss", () => {
      checkLoss(losses.focal, ({ logits }) => crossEntropy(logits as Tensor2D, targets(), { focalGamma }));
    });

    it("focal loss with class weights", () => {
      checkLoss(losses.weightedFocal, ({ logits }) =>
        crossEntropy(logits as Tensor2D, targets(), { classWeights, focalGamma }),
      );
    });

    it("Kullback-Leibler divergence, masked after it", () => {
      checkLoss(losses.klDivergence, ({ teacher, student }) =>
        klDivergence(teacher as Tensor2D, student as Tensor2D, targets().mask as Tensor1D),
      );
    });
  });

  describe("losses stay finite", () => {
    const targets = { labels: [0, 1], mask: [1, 0] };
    const extreme = [
      [200, -200],
      [200, -200],
    ];

    it.each([0, 0.5, 1, 2])("where the prediction is certain, with focal exponent %d", (focalGamma) => {
      const logits = tensor2d(extreme);
      const { value, gradients } = valueAndGradients(
        () =>
          crossEntropy(
            logits,
            { labels: tensor1d(targets.labels, "int32"), mask: tensor1d(targets.mask) },
            { focalGamma },
          ),
        { logits },
      );
      expect(valuesOf(value).map(Math.abs)).toEqual([0]);
      expect(valuesOf(gradients.logits as Tensor).every(Number.isFinite)).toBe(true);
    });

    it("where teacher and student are certain of different classes", () => {
      const teacher = tensor2d(extreme);
      const student = tensor2d([
        [-200, 200],
        [0, 0],
      ]);
      const { value, gradients } = valueAndGradients(() => klDivergence(teacher, student, tensor1d([1, 0])), {
        teacher,
        student,
      });
      expectClose(valuesOf(value), [400]);
      expectClose(valuesOf(gradients.student as Tensor), [-1, 1, 0, 0]);
      expect(valuesOf(gradients.teacher as Tensor).every(Number.isFinite)).toBe(true);
    });
  });

  describe("optimisers give PyTorch's parameters after every step", () => {
    it.each(optimizers)("$name", ({ options, initial, gradients, after }) => {
      const optimizer: Optimizer = options.kind === "adam" ? createAdam(options) : createSgd(options);
      let parameters: Parameters = fromAllStored(initial);
      let state = optimizer.init(parameters);
      gradients.forEach((given, step) => {
        ({ parameters, state } = optimizer.update(parameters, fromAllStored(given), state));
        // PyTorch clips with norm + 1e-6 in the denominator.
        expectAllClose(parameters, after[step] ?? {}, 1e-6);
      });
    });
  });
});
