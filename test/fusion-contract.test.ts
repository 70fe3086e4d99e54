// The laws that every method obeys as a whole model: padding, batches, missing modalities, gradients, determinism,
// memory, and the same numbers on every engine.
import {
  createEagerEngine,
  drawNormal,
  foldKey,
  keyFromSeed,
  type Parameters,
  type RandomSource,
  valueAndGradients,
} from "@merclab/core";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { type Model, type TrainingBatch, trainableParameters } from "@merclab/trainer";
import { add, dispose, memory, mul, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Batch,
  batchOf,
  drawnParameters,
  logitsOf,
  type ModelChoice,
  modelOf,
  pickRows,
  randomOf,
  toTensors,
} from "./support/contract.ts";

interface Method extends ModelChoice {
  readonly name: string;
  /** Parameters that need not learn: those that only some modalities or batches reach. */
  readonly idle?: RegExp;
}

const ada2i = { dim: 4, feedForwardDim: 8, dropout: 0.2 };
const METHODS: readonly Method[] = [
  {
    name: "Ada2I",
    encoder: ["ada2i", ada2i],
    fusion: ["ada2i", { rank: 3, dropout: 0.2 }],
    balancer: ["disparity-ratio"],
  },
  {
    name: "Ada2I as described",
    encoder: ["ada2i", ada2i],
    fusion: ["ada2i", { variant: "as-described", rank: 3, dropout: 0.2 }],
    objective: ["modal-cross-entropy"],
    balancer: ["disparity-ratio", { kappa: "smooth" }],
  },
  {
    name: "Ada2I with LSTMs",
    encoder: ["ada2i", { ...ada2i, kind: "lstm" }],
    fusion: ["ada2i", { rank: 2, layers: 1, dropout: 0, weighting: "none" }],
  },
];

const MODALITIES = ["text", "audio", "visual"];
const LENGTHS = [3, 1, 4];
const MISSING: Readonly<Record<string, readonly number[]>> = {
  text: [1, 0, 1, 1, 1, 1, 0, 1],
  audio: [1, 1, 1, 0, 0, 0, 0, 0], // nothing in the second and third dialogue
  visual: [0, 1, 1, 0, 1, 0, 1, 1],
};

function expectRows(
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
  bound = 2e-5,
): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((row, i) => {
    row.forEach((value, k) => {
      const wanted = expected[i]?.[k] ?? Number.NaN;
      expect(Math.abs(value - wanted), `row ${i}: ${row} against ${expected[i]}`).toBeLessThanOrEqual(
        bound * Math.max(1, Math.abs(wanted)),
      );
    });
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Loss and gradients of a training step with dropout. */
function differentiate(model: Model, parameters: Parameters, batch: TrainingBatch, random: RandomSource) {
  const { value, gradients } = valueAndGradients(
    () => model.loss(parameters, batch.inputs, batch.targets, { random }).total,
    trainableParameters(model, parameters),
  );
  return { value: value as Tensor, gradients };
}

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  describe.each(METHODS)("$name", (method) => {
    const whole = batchOf(LENGTHS, MODALITIES);
    const holes: Batch = { ...whole, present: MISSING };

    it("gives every utterance the same logits, however much padding and whatever dialogues are beside it", () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      for (const batch of [whole, holes]) {
        const logits = logitsOf(model, parameters, batch);
        expectRows(logitsOf(model, parameters, { ...batch, bucket: { tokens: 11, time: 6 } }), logits);
        expectRows(logitsOf(model, parameters, pickRows(batch, [3], [0, 1, 2])), logits.slice(0, 3));
        const turned = [4, 5, 6, 7, 3, 0, 1, 2];
        const expected = turned.map((i) => logits[i] ?? []);
        expectRows(logitsOf(model, parameters, pickRows(batch, [4, 1, 3], turned)), expected);
      }
      dispose(parameters);
    });

    it("never sees what stands where a modality is missing", () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      const spoilt = Object.fromEntries(
        Object.entries(whole.features).map(([name, rows]) => [
          name,
          rows.map((row, i) => (MISSING[name]?.[i] === 1 ? row : row.map((x) => 3 - 5 * x))),
        ]),
      );
      const logits = logitsOf(model, parameters, holes);
      expectRows(logitsOf(model, parameters, { ...holes, features: spoilt }), logits, 0);
      dispose(parameters);
    });

    it("stays finite, gradients included, where nothing at all was observed", () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      const nothing = Object.fromEntries(MODALITIES.map((name) => [name, [1, 1, 1, 0, 0, 0, 0, 0]]));
      const batch = toTensors({ ...whole, present: nothing, bucket: { tokens: 10, time: 5 } });
      tidy(() => {
        const { value, gradients } = differentiate(model, parameters, batch, randomOf(1));
        expect(Number.isFinite(value.dataSync()[0])).toBe(true);
        for (const [name, gradient] of Object.entries(gradients)) {
          expect(gradient.dataSync().every(Number.isFinite), name).toBe(true);
        }
      });
      batch.dispose();
      dispose(parameters);
    });

    it("has the slope of its gradients, and one for every trained parameter", () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      for (const [at, host] of [whole, holes].entries()) {
        const batch = toTensors(host);
        tidy(() => {
          const trained = trainableParameters(model, parameters);
          const { gradients } = differentiate(model, parameters, batch, randomOf(2));
          const idle = Object.keys(trained).filter((name) => {
            const gradient = gradients[name];
            return gradient === undefined || gradient.dataSync().every((x) => x === 0);
          });
          expect(idle.filter((name) => at === 0 && method.idle?.test(name) !== true)).toEqual([]);
          const key = keyFromSeed(3);
          for (let trial = 0; trial < 3; trial++) {
            const direction = Object.fromEntries(
              Object.entries(trained).map(([name, { size, shape }]) => [
                name,
                tensor(Float32Array.from(drawNormal(foldKey(key, name, trial), size)), shape),
              ]),
            );
            const lossAt = (step: number): number => {
              const moved = Object.fromEntries(
                Object.entries(trained).map(([name, value]) => [
                  name,
                  add(value, mul(direction[name] as Tensor, step)),
                ]),
              );
              const { total } = model.loss({ ...parameters, ...moved }, batch.inputs, batch.targets, {
                random: randomOf(2),
              });
              return total.dataSync()[0] ?? Number.NaN;
            };
            // A small step, since absolute values and rectifiers have kinks; float32 forbids a smaller one.
            const measured = (lossAt(2e-4) - lossAt(-2e-4)) / 4e-4;
            const flat = Object.entries(gradients).map(([name, gradient]) => ({
              gradient: [...gradient.dataSync()],
              along: [...(direction[name] as Tensor).dataSync()],
            }));
            const expected = sum(flat.flatMap(({ gradient, along }) => gradient.map((g, i) => g * (along[i] ?? 0))));
            const size = Math.sqrt(sum(flat.flatMap(({ gradient }) => gradient.map((g) => g * g))));
            expect(Math.abs(measured - expected), `${measured} against ${expected}`).toBeLessThan(
              0.015 * Math.max(size, 1),
            );
          }
        });
        batch.dispose();
      }
      dispose(parameters);
    });

    it("repeats itself with the same key, drops by the key, and drops nothing in evaluation", () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      const batch = toTensors(whole);
      const run = (seed?: number): number =>
        tidy(() => {
          const context = seed === undefined ? {} : { random: randomOf(seed) };
          return model.loss(parameters, batch.inputs, batch.targets, context).total.dataSync()[0] ?? Number.NaN;
        });
      expect(run(1)).toBe(run(1));
      expect(run()).toBe(run());
      const options = [method.encoder[1]?.dropout, method.fusion[1]?.dropout];
      expect(run(1) !== run(2)).toBe(options.some((rate) => Number(rate ?? 0) > 0));
      batch.dispose();
      dispose(parameters);
    });

    it("leaves no tensor behind, and its arguments alone", async () => {
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      const batch = toTensors(whole);
      const held = memory().numTensors;
      const step = createEagerEngine(backend).compile((p: Parameters, given: TrainingBatch, random: RandomSource) =>
        differentiate(model, p, given, random),
      );
      const { value, gradients } = await step(
        parameters,
        { inputs: batch.inputs, targets: batch.targets },
        randomOf(1),
      );
      expect(memory().numTensors).toBe(held + 1 + Object.keys(gradients).length);
      dispose([value, gradients]);
      expect(memory().numTensors).toBe(held);
      batch.dispose();
      dispose(parameters);
    });

    it.each([["text"], ["audio", "gaze"], ["gaze", "visual", "text", "audio"]])(
      "works on %s, %s, %s, %s",
      (...given) => {
        const names = given.filter((name) => name !== undefined);
        const model = modelOf(method, names);
        const parameters = drawnParameters(model);
        const logits = logitsOf(model, parameters, batchOf(LENGTHS, names));
        expect(logits.flat().every(Number.isFinite)).toBe(true);
        expect(logits).toHaveLength(8);
        dispose(parameters);
      },
    );
  });
});

describe("compiled", () => {
  it.each(METHODS)("$name has the loss and the gradients of the eager engine", async (method) => {
    const run = async (engine: ReturnType<typeof createOnnxEngine>) => {
      await engine.start();
      const model = modelOf(method);
      const parameters = drawnParameters(model);
      const batch = toTensors({ ...batchOf(LENGTHS), present: MISSING, bucket: { tokens: 10, time: 5 } });
      const step = engine.compile((p: Parameters, given: TrainingBatch, random: RandomSource) =>
        differentiate(model, p, given, random),
      );
      const { value, gradients } = await step(
        parameters,
        { inputs: batch.inputs, targets: batch.targets },
        randomOf(1),
      );
      const numbers = Object.fromEntries(
        Object.entries({ value, ...gradients }).map(([name, each]) => [name, [...each.dataSync()]]),
      );
      dispose([value, gradients, parameters]);
      batch.dispose();
      await engine.dispose();
      return numbers;
    };
    const compiled = await run(createOnnxEngine({ threads: 1 }));
    const eager = await run(createEagerEngine("cpu"));
    expect(Object.keys(compiled)).toEqual(Object.keys(eager));
    for (const [name, expected] of Object.entries(eager)) {
      const largest = Math.max(1e-3, ...expected.map(Math.abs));
      compiled[name]?.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] ?? Number.NaN)), name).toBeLessThan(1e-4 * largest);
      });
    }
  });
});
