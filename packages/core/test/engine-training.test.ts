// What a long training run needs of an engine: the same bits every time, and no memory that grows.
import {
  createAdam,
  createEagerEngine,
  createLayout,
  createRandomSource,
  crossEntropy,
  dropout,
  EAGER_BACKENDS,
  type EagerBackend,
  foldKey,
  geluTanh,
  initialParameters,
  type Key,
  keyFromSeed,
  type Layout,
  layerNorm,
  layerNormSpecs,
  layoutTensors,
  linear,
  linearSpecs,
  multiHeadAttention,
  type OptimizerState,
  type Parameters,
  packTokens,
  padTokens,
  valueAndGradients,
} from "@merclab/core";
import {
  add,
  backend,
  dispose,
  memory,
  relu,
  type Tensor,
  type Tensor2D,
  tensor1d,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { valuesOf } from "./support/tensors.ts";

interface Training {
  readonly parameters: Parameters;
  readonly state: OptimizerState;
}

interface Batch {
  readonly x: Tensor2D;
  readonly labels: ReturnType<typeof tensor1d>;
  readonly layout: Layout;
}

/** A transformer layer and a classifier of some width, as small as the test wants it. */
function createModel(dim: number) {
  const inDim = 7;
  const classes = 3;
  const specs = [
    ...linearSpecs("in", inDim, dim),
    ...["q", "k", "v", "out"].flatMap((name) => linearSpecs(name, dim, dim)),
    ...layerNormSpecs("norm", dim),
    ...linearSpecs("classifier", dim, classes),
  ];
  const optimizer = createAdam({
    lr: 0.01,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 1e-4,
    decay: "coupled",
    maxGradientNorm: 1,
  });
  const options = { numHeads: 2, dropout: 0.1 };

  const forward = (p: Parameters, { x, layout }: Batch, key: Key): Tensor2D => {
    const context = { random: createRandomSource(key) };
    const hidden = linear(p, "in", x);
    const [q, k, v] = ["q", "k", "v"].map((name) => padTokens(linear(p, name, hidden), layout));
    if (q === undefined || k === undefined || v === undefined) {
      throw new Error("three projections were made");
    }
    const attended = packTokens(multiHeadAttention(q, k, v, layout.mask, options, context), layout);
    const projected = dropout(geluTanh(linear(p, "out", attended)), 0.5, context, "out");
    return linear(p, "classifier", relu(layerNorm(p, "norm", add(hidden, projected) as Tensor2D, 1e-6)));
  };

  return {
    init: (seed: number): Training => {
      const parameters = initialParameters(specs, keyFromSeed(seed));
      return { parameters, state: optimizer.init(parameters) };
    },
    batch: (lengths: readonly number[]): Batch => {
      const layout = createLayout(lengths, { tokens: lengths.reduce((sum, length) => sum + length, 2) });
      const data = Float32Array.from({ length: layout.tokens * inDim }, (_, i) => Math.sin(i * i));
      const labels = Int32Array.from({ length: layout.tokens }, (_, i) => i % classes);
      return { x: tensor2d(data, [layout.tokens, inDim]), labels: tensor1d(labels, "int32"), layout };
    },
    step: ({ parameters, state }: Training, batch: Batch, key: Key) => {
      const targets = { labels: batch.labels, mask: batch.layout.tokenMask };
      const { value, gradients } = valueAndGradients(
        () => crossEntropy(forward(parameters, batch, key), targets),
        parameters,
      );
      return { loss: value as Tensor, ...optimizer.update(parameters, gradients, state) };
    },
  };
}

/** Trains and gives losses; `watch` is called after every step, when nothing but the training's tensors is left. */
async function train(
  engineName: EagerBackend,
  options: { dim: number; seed: number; steps: number },
  watch: (step: number) => void = () => {},
) {
  const engine = createEagerEngine(engineName);
  await engine.start();
  const model = createModel(options.dim);
  const step = engine.compile(model.step);
  const batches = [model.batch([5, 2, 4]), model.batch([3, 6])];
  let training = model.init(options.seed);
  const losses: number[] = [];
  for (let i = 0; i < options.steps; i++) {
    const batch = batches[i % 2] as Batch;
    const { loss, ...next } = await step(training, batch, foldKey(keyFromSeed(options.seed), "step", i));
    losses.push(valuesOf(loss)[0] ?? Number.NaN);
    dispose([loss, ...Object.values(training.parameters), ...Object.values(training.state)]);
    training = next;
    watch(i);
  }
  const trained = Object.fromEntries(Object.entries(training.parameters).map(([name, x]) => [name, valuesOf(x)]));
  dispose([...Object.values(training.parameters), ...Object.values(training.state)]);
  for (const { x, labels, layout } of batches) {
    dispose([x, labels, ...layoutTensors(layout)]);
  }
  await engine.dispose();
  return { losses, trained };
}

describe.each(EAGER_BACKENDS)("training on %s", (engineName) => {
  it("gives the same bits when it is repeated, and others for another seed", async () => {
    const first = await train(engineName, { dim: 8, seed: 1, steps: 6 });
    const again = await train(engineName, { dim: 8, seed: 1, steps: 6 });
    expect(again).toEqual(first);
    const other = await train(engineName, { dim: 8, seed: 2, steps: 6 });
    expect(other.losses).not.toEqual(first.losses);
  });

  it("learns a batch by heart", async () => {
    const { losses } = await train(engineName, { dim: 16, seed: 3, steps: 80 });
    const last = losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0);
    expect(losses[0]).toBeGreaterThan(0.9);
    expect(last).toBeLessThan(0.6);
  });

  it("frees every tensor of a step, and every buffer that a kernel made", async () => {
    const before = memory().numTensors;
    const tensors: number[] = [];
    const buffers: number[] = [];
    await train(engineName, { dim: 8, seed: 4, steps: 6 }, () => {
      tensors.push(memory().numTensors);
      buffers.push(backend().numDataIds());
    });
    expect(new Set(tensors).size).toBe(1);
    expect(new Set(buffers).size).toBe(1);
    expect(memory().numTensors).toBe(before);
  });
});

describe("training on wasm and on cpu", () => {
  it("starts with the same losses", async () => {
    const [wasm, cpu] = [
      await train("wasm", { dim: 8, seed: 5, steps: 4 }),
      await train("cpu", { dim: 8, seed: 5, steps: 4 }),
    ];
    wasm.losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(cpu.losses[i] ?? Number.NaN, 4);
    });
  });
});

describe("the wasm heap", () => {
  it("stays as large as it is over 200 steps", async () => {
    const heapBytes = (): number => (backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.byteLength;
    const sizes: number[] = [];
    // A product of this width packs 64 KiB of weights: kept once per step, they would outgrow the heap.
    await train("wasm", { dim: 128, seed: 6, steps: 220 }, () => sizes.push(heapBytes()));
    expect(new Set(sizes.slice(20))).toEqual(new Set([sizes[20]]));
  });
});
