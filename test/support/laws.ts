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
} from "./contract.ts";

export interface Method extends ModelChoice {
  readonly name: string;
  /** Parameters that need not learn: those that only some modalities or batches reach. */
  readonly idle?: RegExp;
  /** It cannot do with one modality. */
  readonly pair?: boolean;
  /** It cannot do without the text. */
  readonly text?: boolean;
}

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

/** Declares the tests of all laws for these methods. */
export function describeLaws(methods: readonly Method[]): void {
  describe("laws on wasm", () => {
    beforeAll(() => createEagerEngine("wasm").start());

    describe.each(methods)("$name", (method) => {
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
        const step = createEagerEngine("wasm").compile((p: Parameters, given: TrainingBatch, random: RandomSource) =>
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

      it.each(["text", "audio gaze", "gaze visual text pulse"])("works on %s", (list) => {
        const names = (method.pair === true && list === "text" ? "text visual" : list)
          .split(" ")
          .map((name) => (method.text === true && name === "audio" ? "text" : name));
        const model = modelOf(method, names);
        const parameters = drawnParameters(model);
        const logits = logitsOf(model, parameters, batchOf(LENGTHS, names));
        expect(logits.flat().every(Number.isFinite)).toBe(true);
        expect(logits).toHaveLength(8);
        dispose(parameters);
      });
    });
  });

  describe("gradients", () => {
    beforeAll(() => createEagerEngine("cpu").start());

    it.each(methods)("$name has the slopes of the loss, and one for every trained parameter", (method) => {
      const whole = batchOf(LENGTHS, MODALITIES);
      const holes: Batch = { ...whole, present: MISSING };
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
          // Along a direction in all parameters together, then in a few of them alone.
          const names = Object.keys(trained);
          const few = names.filter((_, i) => i % Math.ceil(names.length / 4) === 0);
          for (const moving of [names, ...few.map((name) => [name])]) {
            const drawn = moving.map((name) => [
              ...drawNormal(foldKey(keyFromSeed(3), name), trained[name]?.size ?? 0),
            ]);
            const length = Math.hypot(...drawn.flat());
            const directions = drawn.map((values) => values.map((x) => x / length));
            const expected = sum(
              moving.flatMap((name, k) => {
                const gradient = gradients[name]?.dataSync() ?? [];
                return (directions[k] ?? []).map((x, i) => x * (gradient[i] ?? 0));
              }),
            );
            const lossAt = (step: number): number => {
              let loss = Number.NaN;
              tidy(() => {
                const moved = moving.map((name, k) => {
                  const value = trained[name] as Tensor;
                  return [name, add(value, mul(tensor(directions[k] ?? [], value.shape), step))] as const;
                });
                const values = { ...parameters, ...Object.fromEntries(moved) };
                const { total } = model.loss(values, batch.inputs, batch.targets, { random: randomOf(2) });
                loss = total.dataSync()[0] ?? Number.NaN;
              });
              return loss;
            };
            const bound = 0.02 * Math.abs(expected) + 4e-3;
            const isClose = (step: number) => Math.abs((lossAt(step) - lossAt(-step)) / (2 * step) - expected) < bound;
            // float32 is too coarse for a small step, and rectifiers have kinks in a large one.
            const which = moving.length === 1 ? moving[0] : "all parameters";
            expect(isClose(2e-3) || isClose(4e-4), `${which}: the slope is not ${expected}`).toBe(true);
          }
        });
        batch.dispose();
      }
      dispose(parameters);
    });
  });

  describe("engines", () => {
    it.each(methods)("$name has the same loss and gradients on cpu, on wasm and compiled", async (method) => {
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
      const reference = await run(createEagerEngine("cpu"));
      for (const engine of [createEagerEngine("wasm"), createOnnxEngine({ threads: 1 })]) {
        const found = await run(engine);
        expect(Object.keys(found)).toEqual(Object.keys(reference));
        for (const [name, expected] of Object.entries(reference)) {
          const largest = Math.max(1e-3, ...expected.map(Math.abs));
          const worst = Math.max(...expected.map((value, i) => Math.abs(value - (found[name]?.[i] ?? Number.NaN))));
          expect(worst / largest, `${engine.name}: ${name}`).toBeLessThan(2e-4);
        }
      }
    });
  });
}
