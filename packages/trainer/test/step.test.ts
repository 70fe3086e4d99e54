// One training step: it learns, touches nothing frozen, repeats bit for bit, and leaves no tensor behind.
import { createRandomSource, foldKey, initialParameters, keyFromSeed } from "@merclab/core";
import { packBatch } from "@merclab/data";
import { dispose, memory, type Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { createPredictor, type TrainState, trainableParameters, trainStep } from "../src/index.ts";
import {
  type Choice,
  ENGINES,
  LMAM,
  modelOf,
  type Options,
  optimizerOf,
  SDT,
  startEngine,
  tinyDataset,
} from "./support.ts";

const dataset = tinyDataset({ dialogues: { train: 4, valid: 1, test: 1 }, modalities: ["text", "audio"] });
const number = (x: Tensor | undefined): number => x?.dataSync()[0] ?? Number.NaN;
const values = (state: TrainState): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries({ ...state.parameters, ...state.optimizer }).map(([name, x]) => [name, [...x.dataSync()]]),
  );

describe.each(ENGINES)("a step on %s", (backend) => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine(backend);
  });

  /** `steps` full-batch steps; hands the last state to `look` and frees everything. */
  async function train<R>(
    choice: Choice,
    steps: number,
    look: (state: TrainState, losses: Record<string, number>[], first: TrainState) => R | Promise<R>,
    optimizerOptions: Options = { lr: 2e-2 },
  ): Promise<R> {
    const model = modelOf(choice, dataset);
    const optimizer = optimizerOf("adam", optimizerOptions);
    const parameters = initialParameters(model.parameters, keyFromSeed(7));
    const first: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
    const { inputs, targets, dispose: disposeBatch } = packBatch(dataset.splits.train, dataset.modalities);
    if (targets === undefined) {
      throw new Error("training dialogues have labels");
    }
    const states = [first];
    const losses: Record<string, number>[] = [];
    const step = engine.compile((state: TrainState, seed: number) =>
      trainStep(model, optimizer, state, { inputs, targets }, createRandomSource(foldKey(keyFromSeed(3), seed))),
    );
    for (let i = 0; i < steps; i++) {
      const result = await step(states.at(-1) ?? first, i);
      states.push(result.state);
      losses.push(Object.fromEntries(Object.entries(result.losses).map(([name, x]) => [name, number(x)])));
      dispose({ ...result.losses });
    }
    try {
      return await look(states.at(-1) ?? first, losses, first);
    } finally {
      for (const state of states) {
        dispose([{ ...state.parameters }, { ...state.optimizer }]);
      }
      disposeBatch();
    }
  }

  it.each([
    ["SDT", SDT],
    ["LMAM", LMAM],
  ])("%s learns a handful of dialogues by heart", async (_name, choice) => {
    await train(choice, 60, async (state, losses) => {
      const totals = losses.map(({ total }) => total ?? Number.NaN);
      expect(totals.every(Number.isFinite)).toBe(true);
      expect(totals[5]).toBeLessThan(totals[0] ?? 0);
      expect(totals.at(-1)).toBeLessThan(0.5 * (totals[0] ?? 0));
      expect(losses.at(-1)?.task).toBeLessThan(0.2 * (losses[0]?.task ?? 0));
      const predict = createPredictor(modelOf(choice, dataset), engine, dataset.modalities, 2);
      const probabilities = await predict(state.parameters, dataset.splits.train);
      const labels = dataset.splits.train.flatMap((dialogue) => [...(dialogue.labels ?? [])]);
      const right = labels.filter((label, i) => (probabilities[3 * i + label] ?? 0) > 0.5).length;
      expect(right).toBe(labels.length);
    });
  });

  it("reports every term; the total is what they add up to", async () => {
    await train(SDT, 1, (_state, [losses = {}]) => {
      const { total, ...terms } = losses;
      const modalities = ["text", "audio"];
      const expected = [
        "task",
        ...modalities.map((name) => `hard.${name}`),
        ...modalities.map((name) => `soft.${name}`),
      ];
      expect(Object.keys(terms).sort()).toEqual(expected.sort());
      expect(Object.values(terms).reduce((sum, x) => sum + x, 0)).toBeCloseTo(total ?? Number.NaN, 4);
    });
    await train(LMAM, 1, (_state, losses) => {
      expect(losses[0]?.total).toBe(losses[0]?.task);
    });
  });

  it("leaves frozen parameters as they are, and keeps no moments for them", async () => {
    const choice: Choice = { ...SDT, encoder: ["sdt", { dim: 8, numHeads: 2, unimodalGate: "identity" }] };
    const frozen = modelOf(choice, dataset).parameters.filter((spec) => spec.frozen === true);
    expect(frozen.map(({ name }) => name)).toContain("t_t_gate.fc.weight");
    await train(
      choice,
      3,
      (state, _losses, first) => {
        for (const { name } of frozen) {
          expect(state.parameters[name], name).toBe(first.parameters[name]);
          expect(Object.keys(state.optimizer)).not.toContain(`m.${name}`);
        }
        const moved = Object.keys(state.parameters).filter((name) => state.parameters[name] !== first.parameters[name]);
        expect(moved).toHaveLength(Object.keys(state.parameters).length - frozen.length);
      },
      { lr: 1e-2, weightDecay: 0.1 },
    );
  });

  it("repeats bit for bit with the same keys, and not with others", async () => {
    for (const choice of [SDT, LMAM]) {
      const once = await train(choice, 3, values);
      expect(await train(choice, 3, values)).toEqual(once);
      expect(
        await train({ ...choice, encoder: [choice.encoder[0], { ...choice.encoder[1], dropout: 0.2 }] }, 3, values),
      ).not.toEqual(once);
    }
  });

  it("leaves no tensor behind", async () => {
    const before = memory().numTensors;
    await train(SDT, 2, () => undefined);
    await train(LMAM, 2, () => undefined);
    expect(memory().numTensors).toBe(before);
  });
});
