// Training compiled against training eagerly: SDT and LMAM, dropout on, buckets with padding tokens.
import {
  createAdam,
  createEagerEngine,
  createRandomSource,
  type Engine,
  keyFromSeed,
  type RandomSource,
} from "@merclab/core";
import { dispose, type Tensor, tensor1d } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { createOnnxEngine } from "../src/index.ts";
import { adam, lmamModel, optimizers, sdtModel, train } from "./training.ts";

/** Largest relative difference of a loss, or difference of a probability, between engines after six steps. */
const LOSS_TOLERANCE = 2e-5;

describe.each([
  ["SDT", sdtModel],
  ["LMAM behind the transformer encoder", lmamModel],
] as const)("%s trained on onnx", (_name, createModel) => {
  it.each(Object.entries(optimizers))("has the losses of cpu and wasm: %s", async (_optimizer, optimizer) => {
    const onnx = await train(createOnnxEngine({ threads: 1 }), createModel(), optimizer);
    for (const backend of ["cpu", "wasm"] as const) {
      const eager = await train(createEagerEngine(backend), createModel(), optimizer);
      onnx.losses.forEach((terms, step) => {
        const expected = eager.losses[step] ?? {};
        expect(Object.keys(terms)).toEqual(Object.keys(expected));
        for (const [name, value] of Object.entries(terms)) {
          const bound = LOSS_TOLERANCE * Math.max(1, Math.abs(expected[name] ?? 0));
          expect(Math.abs(value - (expected[name] ?? Number.NaN)), `${backend}, step ${step}, ${name}`).toBeLessThan(
            bound,
          );
        }
      });
      onnx.probabilities.forEach((value, i) => {
        expect(Math.abs(value - (eager.probabilities[i] ?? Number.NaN))).toBeLessThan(LOSS_TOLERANCE);
      });
    }
    expect(onnx.leaked).toBe(0);
  });

  it("has the same bits when it is repeated", async () => {
    const optimizer = createAdam({ ...adam, decay: "coupled" });
    const first = await train(createOnnxEngine({ threads: 2 }), createModel(), optimizer);
    expect(await train(createOnnxEngine({ threads: 2 }), createModel(), optimizer)).toEqual(first);
  });
});

it("draws the masks of the eager engines, bit for bit", async () => {
  const masks = async (engine: Engine) => {
    await engine.start();
    const draw = engine.compile((x: Tensor, random: RandomSource) => {
      const inner = random.within("layer");
      return [random.dropoutMask("a", x.shape, 0.5), inner.dropoutMask("a", [5, 3], 0.1), inner.normal("b", [7])];
    });
    const x = tensor1d([1, 2, 3]);
    const drawn: number[][] = [];
    for (const seed of [1, 2]) {
      const tensors = await draw(x, createRandomSource(keyFromSeed(seed)));
      drawn.push(...tensors.map((tensor) => [...tensor.dataSync()]));
      dispose(tensors);
    }
    dispose(x);
    await engine.dispose();
    return drawn;
  };
  const eager = await masks(createEagerEngine("cpu"));
  expect(await masks(createOnnxEngine({ threads: 1 }))).toEqual(eager);
  expect(eager[0]).not.toEqual(eager[3]);
});
