// What the engine of GPUs says when a training goes wrong there.
import { createAdam, type Engine, MerclabError, type OptimizerState, type Parameters } from "@merclab/core";
import { add, dispose, exp, memory, mul, ones, reshape, sum, type Tensor } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { useAdapter } from "../../jit/test/webgpu-adapter.ts";
import { createOnnxEngine } from "../src/index.ts";
import { onnxWebgpuPlugin } from "../src/plugin.ts";
import { adam } from "./training.ts";

const adapter = useAdapter();

describe.skipIf(!adapter)("on onnx-webgpu", () => {
  it("parameters that are no longer finite end a training", async () => {
    const engine = await started();
    const optimizer = createAdam({ ...adam, decay: "coupled", lr: Number.MAX_VALUE });
    const update = engine.compile(
      (parameters: Parameters, state: OptimizerState) => optimizer.update(parameters, parameters, state),
      { donate: [0, 1] },
    );
    const parameters = { weights: ones([3, 4]) };
    const state = optimizer.init(parameters);
    await expect(update(parameters, state)).rejects.toMatchObject({
      name: MerclabError.name,
      code: "diverged",
      message: "engine onnx-webgpu: parameters are no longer finite",
      hint: expect.stringContaining("optimizer.lr"),
    });
    dispose([parameters, state]);
    await engine.dispose();
  });

  it("a lack of memory is told as such, and the engine goes on", async () => {
    const engine = await started();
    const before = memory().numTensors;
    const outer = engine.compile((x: Tensor) => sum(exp(mul(reshape(x, [1, -1]), reshape(x, [-1, 1])))));
    const [large, small] = [ones([33_000]), ones([2])]; // 4.4 GB
    await expect(outer(large)).rejects.toMatchObject({
      name: MerclabError.name,
      code: "engine",
      message: expect.stringMatching(/^engine onnx-webgpu: there is not enough memory: /),
    });
    const result = await outer(small);
    expect(result.dataSync()[0]).toBeCloseTo(4 * Math.E, 3);
    dispose([large, small, result]);
    expect(memory().numTensors).toBe(before);
    await engine.dispose();
  });

  it("an engine that follows another one, or a probe, computes the same", async () => {
    const results = [];
    for (let i = 0; i < 2; i++) {
      const engine = await started();
      const double = engine.compile((x: Tensor) => add(x, x));
      const x = ones([3]);
      const result = await double(x);
      results.push([...result.dataSync()]);
      dispose([x, result]);
      await engine.dispose();
      expect(await onnxWebgpuPlugin.probe()).toMatchObject({ state: "works" });
    }
    expect(results).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ]);
  });
});

async function started(): Promise<Engine> {
  const engine = createOnnxEngine({ threads: 1 }, "webgpu");
  await engine.start();
  return engine;
}
