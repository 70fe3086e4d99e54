// Gradients against finite differences of the loss, along all parameters together and along some of them alone.
import { drawNormal, foldKey, keyFromSeed, type Parameters, valueAndGradients } from "@merclab/core";
import { type Model, trainableParameters } from "@merclab/trainer";
import { add, dispose, mul, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import type { Law } from "../law.ts";
import { batchOf, batchWithHoles, type TensorBatch, toTensors } from "../material/batch.ts";
import { short } from "../material/differences.ts";
import { drawnParameters, randomOf } from "../material/evaluate.ts";
import { modelOf } from "../subject.ts";

const SEED = 2;
/** float32 is too coarse for a small step, and rectifiers have kinks in a large one: one of them must fit. */
const STEPS = [2e-3, 4e-4];
/** Parameters that are moved alone, about. */
const FEW = 4;

export const gradientsLaw: Law = {
  name: "gradients",
  says: "gradients are the slopes of the loss, and every trained parameter has one",
  advice:
    "Check gradients written by hand (tf.customGrad); ops without a gradient (argMax, round, comparisons) cut the path, " +
    "and so do values that were read and made a tensor again. Declare what never trains as frozen.",
  engine: "cpu",
  check: (subject) => {
    const model = modelOf(subject);
    const parameters = drawnParameters(model);
    const problems: string[] = [];
    const zero = new Set<string>();
    let largest = 0;
    for (const [at, host] of [batchOf(), batchWithHoles()].entries()) {
      const batch = toTensors(host);
      tidy(() => {
        const trained = trainableParameters(model, parameters);
        const names = Object.keys(trained);
        const lossOf = (values: Parameters): Tensor =>
          model.loss(values, batch.inputs, batch.targets, { random: randomOf(SEED) }).total;
        const { gradients } = valueAndGradients(() => lossOf(parameters), trained);
        if (at === 0) {
          for (const name of names) {
            const gradient = gradients[name];
            const isZero = gradient === undefined || gradient.dataSync().every((x) => x === 0);
            const mayBeIdle = subject.idle?.test(name) === true;
            if (gradient === undefined ? !mayBeIdle : isZero && subject.idle !== undefined && !mayBeIdle) {
              problems.push(`the loss does not depend on parameter ${name}`);
            } else if (isZero) {
              zero.add(name);
            }
          }
        }
        const few = names.filter((_, i) => i % Math.ceil(names.length / FEW) === 0);
        for (const moving of [names, ...few.map((name) => [name])]) {
          const { slope, measured } = compareSlopes(model, parameters, trained, gradients, moving, batch);
          const bound = 0.02 * Math.abs(slope) + 4e-3;
          const difference = Math.min(...measured.map((each) => Math.abs(each - slope)));
          largest = Math.max(largest, difference / bound);
          if (!(difference < bound)) {
            const which = moving.length === 1 ? moving[0] : "all parameters together";
            const found = measured.map(short).join(" or ");
            problems.push(`along ${which} the gradient says ${short(slope)}, the loss ${found}`);
          }
        }
      });
      batch.dispose();
    }
    dispose(parameters);
    const flat = zero.size === 0 ? "" : `; zero on this batch: ${[...zero].slice(0, 3).join(", ")}`;
    return { figures: `largest error ${short(100 * largest)} % of what is allowed${flat}`, problems };
  },
};

/** The slope of the loss along a drawn direction in some parameters, by its gradients and by differences. */
function compareSlopes(
  model: Model,
  parameters: Parameters,
  trained: Parameters,
  gradients: Parameters,
  moving: readonly string[],
  batch: TensorBatch,
): { readonly slope: number; readonly measured: readonly number[] } {
  const drawn = moving.map((name) => [...drawNormal(foldKey(keyFromSeed(3), name), trained[name]?.size ?? 0)]);
  // Summed, since a call takes no million arguments.
  const length = Math.sqrt(drawn.flat().reduce((total, x) => total + x * x, 0));
  const directions = drawn.map((values) => values.map((x) => x / length));
  let slope = 0;
  moving.forEach((name, k) => {
    const gradient = gradients[name]?.dataSync() ?? [];
    (directions[k] ?? []).forEach((x, i) => {
      slope += x * (gradient[i] ?? 0);
    });
  });
  const lossAt = (step: number): number => {
    let loss = Number.NaN;
    tidy(() => {
      const moved = moving.map((name, k) => {
        const value = trained[name] as Tensor;
        return [name, add(value, mul(tensor(directions[k] ?? [], value.shape), step))] as const;
      });
      const values = { ...parameters, ...Object.fromEntries(moved) };
      const { total } = model.loss(values, batch.inputs, batch.targets, { random: randomOf(SEED) });
      loss = total.dataSync()[0] ?? Number.NaN;
    });
    return loss;
  };
  return { slope, measured: STEPS.map((step) => (lossAt(step) - lossAt(-step)) / (2 * step)) };
}
