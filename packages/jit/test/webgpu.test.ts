// On WebGPU: state that stays there, what runs on the processor and why, and what is said about a run. The rules' own
// tests run there too: vitest's project `webgpu`.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as ort from "onnxruntime-node";
import { beforeEach, describe, expect, it } from "vitest";
import { encodeModel } from "../src/graph/onnx.ts";
import { HOST_BACKEND, hostBackend, JitError, jit } from "../src/index.ts";
import { traceFunction } from "../src/trace/trace-function.ts";
import { flattenTree } from "../src/tree.ts";
import { expectSame } from "./support.ts";
import { useAdapter } from "./webgpu-adapter.ts";

const adapter = useAdapter();

beforeEach(async () => {
  hostBackend();
  await tf.setBackend(HOST_BACKEND);
});

type State = { w: tf.Tensor; m: tf.Tensor; v: tf.Tensor };

/** A step of Adam on the mean square of x·w − 1. */
function adamStep({ w, m, v }: State, x: tf.Tensor2D, rate: tf.Tensor): readonly [State, tf.Tensor] {
  const loss = () => tf.mean(tf.square(tf.sub(tf.matMul(x, w as tf.Tensor2D), 1))) as tf.Scalar;
  const { value, grads } = tf.engine().gradients(loss, [w]);
  const one = tf.scalar(1);
  const [next, mean, square] = tf
    .engine()
    .runKernel(
      "AdamStep",
      { weights: w, gradient: grads[0] as tf.Tensor, m, v, scale: one, shrink: tf.scalar(0.99), rate, root: one },
      { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay: 0.01 },
    ) as unknown as tf.Tensor[];
  return [{ w: next, m: mean, v: square } as State, value as tf.Tensor];
}

const ROWS = 64;
const COLUMNS = 32;
const inputs = () =>
  tf.tensor2d(
    Float32Array.from({ length: 4 * ROWS }, (_, i) => Math.sin(i)),
    [4, ROWS],
  );
const initialState = (): State => ({
  w: tf.fill([ROWS, COLUMNS], 0.1),
  m: tf.zeros([ROWS, COLUMNS]),
  v: tf.zeros([ROWS, COLUMNS]),
});

/** Some steps; `see` is called with the state after each. */
async function train(device: "cpu" | "webgpu", see: (state: State) => void = () => {}, rate = 0.01) {
  const step = jit(adamStep, { device, donate: [0], threads: 1 });
  const r = tf.scalar(rate);
  let state = initialState();
  const losses: number[] = [];
  try {
    for (let i = 0; i < 5; i++) {
      const x = inputs();
      const [next, loss] = await step(state, x, r).finally(() => x.dispose());
      state = next;
      losses.push(...loss.dataSync());
      loss.dispose();
      see(state);
    }
    const [report] = await step.explain();
    return { losses, report, weights: [...state.w.dataSync()] };
  } finally {
    tf.dispose([state, r]);
    await step.dispose();
  }
}

describe.skipIf(!adapter)("state on webgpu", () => {
  it("stays there: a step copies neither weights nor moments, and computes what the processor does", async () => {
    const before = tf.memory().numTensors;
    const [there, here] = [await train("webgpu"), await train("cpu")];
    there.losses.forEach((loss, i) => {
      expect(Math.abs(loss - (here.losses[i] as number))).toBeLessThan(1e-5);
    });
    const differences = there.weights.map((value, i) => Math.abs(value - (here.weights[i] as number)));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
    const [stateBytes, batchBytes] = [3 * ROWS * COLUMNS * 4, 4 * ROWS * 4 + 4];
    // Of five steps, the first one brings the state; the loss and one number that tells NaN come back.
    expect(there.report?.copiedBytes).toEqual({ in: batchBytes + stateBytes / 5, out: 8 });
    expect(there.report?.hostKernels).toEqual({});
    expect(here.report).toMatchObject({ hostKernels: { AdamStep: 1 }, copiedBytes: { in: 0, out: 0 } });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("has the same bits when it is repeated, whoever reads it meanwhile", async () => {
    const first = await train("webgpu");
    const seen: number[] = [];
    const second = await train("webgpu", ({ w }) => {
      const read = w.dataSync();
      expect([...w.dataSync()]).toEqual([...read]);
      const sum = tf.sum(tf.reshape(w, [-1])); // an op outside compiled functions
      seen.push(...sum.dataSync());
      sum.dispose();
    });
    expect(second.weights).toEqual(first.weights);
    expect(second.losses).toEqual(first.losses);
    expect(new Set(seen).size).toBe(5);
  });

  it("serves other functions as it is, reshaped too, on the device and on the processor", async () => {
    const move = (state: tf.Tensor) => [tf.add(state, 1), tf.sum(state)] as const;
    const [step, there, here] = [
      jit(move, { device: "webgpu", donate: [0] }),
      jit((x: tf.Tensor) => tf.cumsum(x, 0), { device: "webgpu" }),
      jit((x: tf.Tensor) => tf.cumsum(x, 0)),
    ];
    const [state, sum] = await step(tf.tensor1d([1, 2, 3, 4]));
    const reshaped = tf.reshape(state, [2, 2]);
    const results = [await there(state), await here(state), await there(reshaped), await here(reshaped)];
    const flat = tf.tensor1d([2, 5, 9, 14]);
    const square = tf.tensor2d([2, 3, 6, 8], [2, 2]);
    [flat, flat, square, square].forEach((expected, i) => {
      expectSame(results[i] as tf.Tensor, expected, `result ${i}`);
    });
    expect((await there.explain()).map(({ copiedBytes }) => copiedBytes.in)).toEqual([0, 0]);
    tf.dispose([state, sum, reshaped, results, flat, square]);
    await Promise.all([step, there, here].map((each) => each.dispose()));
  });

  it("holds what is passed again, such as weights that are not trained", async () => {
    const before = tf.memory().numTensors;
    const product = jit((frozen: tf.Tensor2D, x: tf.Tensor2D) => tf.sum(tf.matMul(x, frozen)), { device: "webgpu" });
    const frozen = wave(ROWS, COLUMNS) as tf.Tensor2D;
    const copied: number[] = [];
    const results: number[] = [];
    for (let i = 1; i <= 4; i++) {
      const x = inputs();
      const result = await product(frozen, x);
      results.push(...result.dataSync());
      tf.dispose([x, result]);
      copied.push(((await product.explain())[0]?.copiedBytes.in ?? 0) * i);
    }
    const [weightBytes, batchBytes] = [ROWS * COLUMNS * 4, 4 * ROWS * 4];
    expect(copied).toEqual([1, 2, 2, 2].map((times, i) => times * weightBytes + (i + 1) * batchBytes));
    expect(new Set(results).size).toBe(1);
    expect(frozen.dataSync()[1]).toBe(Math.fround(Math.sin(2)));
    frozen.dispose();
    expect(tf.memory().numTensors).toBe(before);
    await product.dispose();
  });

  it("may come out twice", async () => {
    const step = jit((x: tf.Tensor) => [tf.add(x, 1)].flatMap((y) => [y, tf.clone(y)]), {
      device: "webgpu",
      donate: [0],
    });
    const [a, b] = (await step(tf.tensor1d([1, 2]))) as [tf.Tensor, tf.Tensor];
    a.dispose();
    expect([...b.dataSync()]).toEqual([2, 3]);
    b.dispose();
    await step.dispose();
  });

  it("says that weights are no longer finite, since a loss may not", async () => {
    const before = tf.memory().numTensors;
    await expect(train("webgpu", undefined, Number.NaN)).rejects.toMatchObject({
      name: JitError.name,
      code: "diverged",
    });
    expect(tf.memory().numTensors).toBe(before);
    await expect(train("webgpu", undefined, Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: "diverged" });
  });
});

type Fn = (...args: tf.Tensor[]) => tf.Tensor;

/** Where the nodes of an op run, and what WebGPU makes of the graph where nothing is kept from it. */
async function placed(op: string, fn: Fn, args: tf.Tensor[]): Promise<{ provider: unknown; onWebgpu: string }> {
  const [there, here] = [jit(fn, { device: "webgpu", profile: true }), jit(fn)];
  const [actual, expected] = [await there(...args), await here(...args)];
  expectSame(actual, expected, op);
  const [report] = await there.explain();
  const provider = report?.slowestOps?.find((each) => each.op === op)?.provider;
  const onWebgpu = await runOnWebgpu(fn, args, expected);
  tf.dispose([actual, expected, args]);
  await Promise.all([there.dispose(), here.dispose()]);
  return { provider, onWebgpu };
}

async function runOnWebgpu(fn: Fn, args: tf.Tensor[], expected: tf.Tensor): Promise<string> {
  const { graph, parameters } = traceFunction(
    fn as (...given: never[]) => unknown,
    flattenTree(args, "the arguments"),
    {},
  );
  const options = { executionProviders: ["webgpu"], logSeverityLevel: 4 as const };
  const session = await ort.InferenceSession.create(encodeModel(graph), options);
  const feeds = parameters.flatMap((value, i) => {
    const tensor = args[i] as tf.Tensor;
    const made = new ort.Tensor(tensor.dtype as "float32", tensor.dataSync<"float32">(), tensor.shape);
    return graph.inputs.includes(value) ? [[value.name, made] as const] : [];
  });
  try {
    const [made] = Object.values(await session.run(Object.fromEntries(feeds)));
    const result = tf.tensor(made?.data as Float32Array, expected.shape, expected.dtype);
    expectSame(result, expected, "result");
    return "agrees";
  } catch (error) {
    return String(error).includes("AssertionError") ? "gets it wrong" : "fails";
  } finally {
    await session.release();
  }
}

const wave = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i)),
    shape,
  );
};
const conv =
  (pad: unknown): Fn =>
  (x, f) =>
    tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, pad as "same");
const padRight = conv([
  [0, 0],
  [0, 0],
  [0, 1],
  [0, 0],
]);
const conv3dTranspose: Fn = (x, f) =>
  tf.conv3dTranspose(x as tf.Tensor5D, f as tf.Tensor5D, [1, 3, 4, 3, 3], 1, "valid");
const depthwiseGradient: Fn = (x, f) =>
  tf.grad((each) => tf.sum(tf.square(tf.depthwiseConv2d(each as tf.Tensor4D, f as tf.Tensor4D, 1, "valid"))))(x);

describe.skipIf(!adapter)("what webgpu gets wrong runs on the processor", () => {
  it.each<[what: string, op: string, onWebgpu: string, fn: Fn, args: () => tf.Tensor[]]>([
    [
      "powers of rows by a column",
      "Pow",
      "fails",
      (a, b) => tf.pow(a as tf.Tensor, b as tf.Tensor),
      () => [tf.ones([3, 2, 4]), tf.ones([3, 2, 1])],
    ],
    [
      "slices backwards",
      "Slice",
      "gets it wrong",
      (x) => tf.stridedSlice(x as tf.Tensor, [0], [-5], [-2]),
      () => [wave(4)],
    ],
    ["convolution of nothing", "Conv", "fails", conv("same"), () => [wave(0, 3, 3, 2), wave(2, 2, 2, 3)]],
    [
      "windows of one element, with padding",
      "Conv",
      "gets it wrong",
      padRight,
      () => [wave(1, 2, 3, 2), wave(1, 1, 2, 3)],
    ],
    [
      "windows of the whole input, with padding",
      "Conv",
      "gets it wrong",
      padRight,
      () => [wave(1, 2, 3, 2), wave(2, 3, 2, 3)],
    ],
    [
      "transposed convolution along three axes",
      "ConvTranspose",
      "fails",
      conv3dTranspose,
      () => [wave(1, 2, 3, 2, 2), wave(2, 2, 2, 3, 2)],
    ],
    [
      "transposed convolution in groups",
      "ConvTranspose",
      "gets it wrong",
      depthwiseGradient,
      () => [wave(1, 3, 3, 2), wave(2, 2, 2, 2)],
    ],
  ])("%s: %s, which %s there", async (_what, op, onWebgpu, fn, args) => {
    expect(await placed(op, fn, args())).toEqual({ provider: "CPUExecutionProvider", onWebgpu });
  });
});

describe.skipIf(!adapter)("a run on webgpu", () => {
  it("says which provider ran how many nodes, and keeps no graph on disk", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tfjs-jit-test-"));
    const compiled = jit((x: tf.Tensor2D) => tf.softmax(tf.matMul(x, x)), {
      device: "webgpu",
      profile: true,
      cacheFolder: folder,
    });
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    tf.dispose([await compiled(x), await compiled(x), x]);
    const [report] = await compiled.explain();
    expect(report?.device).toBe("webgpu");
    expect(report?.placement?.WebGpuExecutionProvider).toBeGreaterThanOrEqual(2);
    expect(report?.slowestOps?.map(({ op }) => op)).toContain("Softmax");
    expect(await readdir(folder)).toEqual([]);
    await compiled.dispose();
    await rm(folder, { recursive: true });
  });

  it("says that a value is too large for the device", async () => {
    const outer = jit((x: tf.Tensor) => tf.sum(tf.exp(tf.mul(tf.reshape(x, [1, -1]), tf.reshape(x, [-1, 1])))), {
      device: "webgpu",
    });
    const x = tf.ones([33_000]); // 4.4 GB
    await expect(outer(x)).rejects.toMatchObject({ name: JitError.name, code: "memory" });
    x.dispose();
    await outer.dispose();
  });
});

it.skipIf(adapter)("says that there is no adapter", async () => {
  const compiled = jit((x: tf.Tensor) => tf.add(x, x), { device: "webgpu" });
  const x = tf.scalar(1);
  await expect(compiled(x)).rejects.toMatchObject({ name: JitError.name, code: "device" });
  await compiled.dispose();
});

it("profiles the processor, and leaves no file behind", async () => {
  const profiles = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith(`tfjs-jit-profile-${process.pid}-`));
  const before = await profiles();
  const options = { profile: true, threads: 1 };
  const [compiled, unused] = [jit((x: tf.Tensor) => tf.exp(x), options), jit((x: tf.Tensor) => tf.exp(x))];
  const x = tf.tensor1d([1, 2]);
  tf.dispose([await compiled(x), await unused(x), x]);
  expect((await compiled.explain())[0]).toMatchObject({ placement: { CPUExecutionProvider: 1 } });
  expect((await unused.explain())[0]?.placement).toBeUndefined();
  await compiled.dispose();
  await unused.dispose();
  expect(await profiles()).toEqual(before);
});
