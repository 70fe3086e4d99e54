// On WebGPU: main families of rules with values and gradients, and what is said about a run.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { JitError, jit } from "../src/index.ts";
import { broadcastPairs, expectAgreement, fc, hosts, property, testOn, vector } from "./support.ts";
import { findAdapter } from "./webgpu-adapter.ts";

const adapter = findAdapter();
/** Vulkan grants sin, cos, exp and division more error than a processor makes: sin and cos 2^-11. */
testOn("webgpu", 5e-4);

const RUNS = 3;
const matrices = hosts([3, 4]);

describe.skipIf(!adapter)("on webgpu", () => {
  const functions: [name: string, fn: (x: tf.Tensor2D) => tf.Tensor][] = [
    ["Sigmoid", tf.sigmoid],
    ["Tanh", tf.tanh],
    ["Relu", tf.relu],
    ["Erf", tf.erf],
    ["Exp", tf.exp],
    ["Cos", tf.cos],
    ["Softmax", (x) => tf.softmax(x)],
    ["LogSoftmax", (x) => tf.logSoftmax(x)],
    ["Sum", (x) => tf.sum(x, 0)],
    ["Mean", (x) => tf.mean(x, 1, true)],
    ["Max", (x) => tf.max(x, 1)],
    ["Transpose", (x) => tf.transpose(x)],
    ["Concat", (x) => tf.concat([x, tf.square(x)], 1)],
    ["Slice", (x) => tf.slice(x, [1, 1], [2, 3])],
    [
      "PadV2",
      (x) =>
        tf.pad(x, [
          [1, 0],
          [0, 2],
        ]),
    ],
    ["GatherV2", (x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32"))],
    ["BatchMatMul", (x) => tf.matMul(x, x, false, true)],
  ];
  it.each(functions)("%s", async (_name, fn) => {
    await property(matrices, (x) => expectAgreement((input) => fn(input as tf.Tensor2D), [x]), RUNS);
  });

  it.each([
    ["Add", tf.add],
    ["Sub", tf.sub],
    ["Multiply", tf.mul],
    ["RealDiv", tf.div],
  ] as const)("%s, broadcast", async (_name, fn) => {
    const operands = broadcastPairs.chain(([a, b]) => fc.tuple(hosts(a), hosts(b, { min: 0.5, max: 3 })));
    await property(operands, (pair) => expectAgreement((a, b) => fn(a as tf.Tensor, b as tf.Tensor), pair), RUNS);
  });

  it("runs on the processor what its kernels get wrong: Pow of integers, Slice backwards", async () => {
    const values = { gradients: false };
    const whole = vector("int32", 1, 2, 3);
    await expectAgreement((a, b) => tf.pow(a as tf.Tensor, b as tf.Tensor), [whole, whole], values);
    await property(
      matrices,
      (x) => expectAgreement((a) => tf.stridedSlice(a as tf.Tensor, [2, 3], [0, 0], [-1, -2]), [x], values),
      RUNS,
    );
  });

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
});

it.skipIf(adapter)("says that there is no adapter", async () => {
  const compiled = jit((x: tf.Tensor) => tf.add(x, x), { device: "webgpu" });
  const x = tf.scalar(1);
  await expect(compiled(x)).rejects.toMatchObject({ name: JitError.name, code: "device" });
  await compiled.dispose();
});

it("profiles the processor, and leaves no file behind", async () => {
  const profiles = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("tfjs-jit-profile-"));
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
