// Training on WebGPU against training eagerly, where there is an adapter.
import { createAdam, createEagerEngine, MerclabError } from "@merclab/core";
import { describe, expect, it } from "vitest";
import { findAdapter } from "../../jit/test/webgpu-adapter.ts";
import { createOnnxEngine } from "../src/index.ts";
import { adam, lmamModel, optimizers, sdtModel, train } from "./training.ts";

/**
 * Largest relative difference of a loss, or difference of a probability, after six steps. Vulkan grants exp, sin and
 * division more error than a processor makes.
 */
const TOLERANCE = 2e-5;

const adapter = findAdapter();
const onWebgpu = () => createOnnxEngine({ threads: 1, device: "webgpu" });

describe.skipIf(!adapter).each([
  ["SDT", sdtModel],
  ["LMAM behind the transformer encoder", lmamModel],
] as const)("%s trained on onnx-webgpu", (_name, createModel) => {
  it.each(Object.entries(optimizers))("has the losses of cpu: %s", async (_optimizer, optimizer) => {
    const webgpu = await train(onWebgpu(), createModel(), optimizer);
    const eager = await train(createEagerEngine("cpu"), createModel(), optimizer);
    webgpu.losses.forEach((terms, step) => {
      const expected = eager.losses[step] ?? {};
      expect(Object.keys(terms)).toEqual(Object.keys(expected));
      for (const [name, value] of Object.entries(terms)) {
        const wanted = expected[name] ?? Number.NaN;
        const difference = Math.abs(value - wanted) / Math.max(1, Math.abs(wanted));
        expect(difference, `step ${step}, ${name}`).toBeLessThan(TOLERANCE);
      }
    });
    webgpu.probabilities.forEach((value, i) => {
      expect(Math.abs(value - (eager.probabilities[i] ?? Number.NaN))).toBeLessThan(TOLERANCE);
    });
    expect(webgpu.leaked).toBe(0);
  });

  it("has the same bits when it is repeated", async () => {
    const optimizer = createAdam({ ...adam, decay: "coupled" });
    expect(await train(onWebgpu(), createModel(), optimizer)).toEqual(
      await train(onWebgpu(), createModel(), optimizer),
    );
  });
});

it.skipIf(adapter)("says what to install where there is no adapter", async () => {
  const error = await onWebgpu()
    .start()
    .catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(MerclabError);
  expect(String(error)).toContain("engine onnx-webgpu: no GPU adapter was found");
});
