// The same numbers on every engine, compiled or not: a plugin that reads values or branches on them cannot be compiled.
import { createEagerEngine, type Engine, type Parameters, type RandomSource } from "@merclab/core";
import { createOnnxEngine } from "@merclab/engine-onnx";
import { balancedGradients, type TrainingBatch } from "@merclab/trainer";
import { dispose } from "@tensorflow/tfjs-core";
import type { Law } from "../law.ts";
import { batchWithHoles, toTensors } from "../material/batch.ts";
import { short } from "../material/differences.ts";
import { drawnParameters, randomOf } from "../material/evaluate.ts";
import { modelOf, type Subject } from "../subject.ts";

/** Of the largest number of a tensor. */
const BOUND = 2e-4;

export const enginesLaw: Law = {
  name: "engines",
  says: "losses and gradients are the same on cpu, on wasm and compiled",
  advice:
    "A part is a pure function of tensors: it reads no values (dataSync, arraySync, data, print), does not branch on " +
    "them, and makes no tensors of values that it read.",
  engine: "own",
  check: async (subject) => {
    const reference = await runOn(createEagerEngine("cpu"), subject);
    const figures: string[] = [];
    const problems: string[] = [];
    for (const engine of [createEagerEngine("wasm"), createOnnxEngine({ threads: 1 })]) {
      const found = await runOn(engine, subject);
      if (Object.keys(found).join() !== Object.keys(reference).join()) {
        problems.push(`on ${engine.name} other parameters have a gradient`);
      }
      let largest = 0;
      for (const [name, expected] of Object.entries(reference)) {
        const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
        const actual = found[name] ?? [];
        const distance = (value: number, i: number) => Math.abs(value - (actual[i] ?? Number.NaN));
        const worst = expected.reduce((most, value, i) => Math.max(most, distance(value, i)), 0) / scale;
        largest = Math.max(largest, worst);
        if (!(worst < BOUND)) {
          problems.push(`on ${engine.name} ${name} differs by ${short(worst)} of its largest number`);
        }
      }
      figures.push(`${engine.name} ${short(largest)}`);
    }
    return { figures: `largest differences from cpu: ${figures.join(", ")}; allowed ${short(BOUND)}`, problems };
  },
};

/** Losses and gradients of one training step as plain numbers, by name. */
async function runOn(engine: Engine, subject: Subject): Promise<Record<string, number[]>> {
  await engine.start();
  const model = modelOf(subject);
  const parameters = drawnParameters(model);
  const batch = toTensors({ ...batchWithHoles(), bucket: { tokens: 10, time: 5 } });
  const { inputs, targets } = batch;
  try {
    const step = engine.compile((p: Parameters, given: TrainingBatch, random: RandomSource) =>
      balancedGradients(model, p, given, random),
    );
    const { losses, gradients } = await step(parameters, { inputs, targets }, randomOf(1));
    const numbers = Object.entries({ "the loss": losses.total, ...gradients }).map(([name, each]) => [
      name,
      [...(each?.dataSync() ?? [])],
    ]);
    dispose([...Object.values(losses), ...Object.values(gradients)]);
    return Object.fromEntries(numbers);
  } finally {
    batch.dispose();
    dispose(parameters);
    await engine.dispose();
  }
}
