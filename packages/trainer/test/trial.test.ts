// A whole trial: epochs, selection, reports, the seal of the test part, divergence, memory.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { classificationMetrics, type Dialogue, visibleLabels } from "@merclab/core";
import { dispose, memory } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  createPredictor,
  type EpochReport,
  loadWeights,
  readWeightsMetadata,
  selectEpoch,
  trainerOptions,
  trainTrial,
  writeWeights,
} from "../src/index.ts";
import { ENGINES, LMAM, refusal, SDT, startEngine, tinyDataset, trialOf } from "./support.ts";

const ignore = () => {};

const withoutSeconds = (epochs: readonly EpochReport[]) => epochs.map(({ seconds: _, ...rest }) => rest);

describe.each(ENGINES)("a trial on %s", (backend) => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine(backend);
  });

  it("reports each epoch as it ends: losses by term, validation metrics, seconds", async () => {
    const reports: EpochReport[] = [];
    const { epochs, seconds } = await trainTrial(trialOf(engine, { options: { epochs: 3 } }), (report) => {
      reports.push(report);
    });
    expect(reports).toEqual(epochs);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const { train, valid, seconds: spent } of epochs) {
      const { total = Number.NaN, ...terms } = train;
      expect(Object.keys(terms)).toHaveLength(5);
      expect(Object.values(terms).reduce((sum, x) => sum + x, 0)).toBeCloseTo(total, 4);
      expect(Object.keys(valid).sort()).toEqual(["accuracy", "ece", "macro-f1", "nll", "weighted-f1"]);
      expect(spent).toBeGreaterThan(0);
    }
    expect(seconds).toBeGreaterThanOrEqual(epochs.reduce((sum, each) => sum + each.seconds, 0) - 1e-3);
  });

  it("hears what happened meanwhile before it reports an epoch: nobody may be waiting for it any more", async () => {
    let isHeard = true;
    const listening: typeof engine = Object.assign(Object.create(engine) as typeof engine, {
      compile: ((...parts: Parameters<typeof engine.compile>) => {
        const compiled = engine.compile(...parts);
        return async (...given: Parameters<typeof compiled>) => {
          const result = await compiled(...given);
          isHeard = false;
          setImmediate(() => {
            isHeard = true;
          });
          return result;
        };
      }) as typeof engine.compile,
    });
    const heard: boolean[] = [];
    await trainTrial(trialOf(listening, { options: { epochs: 2 } }), () => {
      heard.push(isHeard);
    });
    expect(heard).toEqual([true, true]);
  });

  it("learns what can be learned, and chooses its best epoch on validation", async () => {
    const trial = trialOf(engine, {
      encoder: ["linear", { dim: 6, dropout: 0.1 }],
      fusion: ["sdt", { gate: "concat" }],
      objective: ["cross-entropy", {}],
      optimizer: { lr: 3e-2 },
      options: { epochs: 15, selectBy: "nll" },
    });
    const { epochs, selectedEpoch, testProbabilities } = await trainTrial(trial, ignore);
    expect(epochs.at(-1)?.train.total).toBeLessThan(0.5 * (epochs[0]?.train.total ?? 0));
    const losses = epochs.map(({ valid }) => valid.nll ?? Number.NaN);
    expect(losses[selectedEpoch - 1]).toBe(Math.min(...losses));
    const open = tinyDataset({ modalities: ["text", "audio"], testLabels: "present" });
    const labels = open.splits.test.flatMap((dialogue) => [...visibleLabels(dialogue)]);
    const probabilities = testProbabilities[selectedEpoch - 1] ?? [];
    expect(classificationMetrics(labels, { probabilities }, 3).accuracy).toBeGreaterThan(0.7);
  });

  it("repeats bit for bit, and changes with the seed", async () => {
    const run = async (seed: number) => {
      const { epochs, testProbabilities } = await trainTrial(trialOf(engine, { seed }), ignore);
      return { epochs: withoutSeconds(epochs), testProbabilities };
    };
    const once = await run(5);
    expect(await run(5)).toEqual(once);
    expect((await run(6)).testProbabilities).not.toEqual(once.testProbabilities);
  });

  it("the evaluation batch size changes no prediction beyond rounding", async () => {
    const run = (evaluationBatchSize: number) =>
      trainTrial(trialOf(engine, { options: { evaluationBatchSize } }), ignore);
    const [one, other] = [await run(1), await run(7)];
    const flat = (parts: readonly Float32Array[]) => parts.flatMap((part) => [...part]);
    const [a, b] = [flat(one.testProbabilities), flat(other.testProbabilities)];
    expect(a.length).toBe(b.length);
    expect(Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))))).toBeLessThan(1e-6);
    expect(one.selectedEpoch).toBe(other.selectedEpoch);
  });

  it("keeps the weights of the epoch that it selects, which predict what was predicted then", async () => {
    const folder = mkdtempSync(join(tmpdir(), "merclab-kept-"));
    const file = join(folder, "weights.safetensors");
    const trial = trialOf(engine, { optimizer: { lr: 3e-2 }, options: { epochs: 6, selectBy: "nll" } });
    const before = memory().numTensors;
    const outcome = await trainTrial(trial, ignore, { keepWeights: true });
    // Neither the first nor the last, else this would show little.
    expect(outcome.selectedEpoch).toBeGreaterThan(1);
    expect(outcome.selectedEpoch).toBeLessThan(6);
    const without = await trainTrial(trial, ignore);
    expect(without.weights).toBeUndefined();
    expect(without.testProbabilities).toEqual(outcome.testProbabilities);
    await writeWeights(outcome.weights?.tensors ?? new Map(), file, { trial: "x" });
    expect(await readWeightsMetadata(file)).toEqual({ trial: "x" });
    const parameters = await loadWeights(trial.model, file);
    const { dataset, options } = trial;
    const predict = createPredictor(trial.model, engine, dataset.modalities, options.evaluationBatchSize);
    expect(await predict(parameters, dataset.splits.test)).toEqual(
      outcome.testProbabilities[outcome.selectedEpoch - 1],
    );
    dispose(parameters);
    expect(memory().numTensors).toBe(before);
    rmSync(folder, { recursive: true });
  });

  it("tells the loss of every step, whose mean is that of the epoch", async () => {
    const dataset = tinyDataset({ modalities: ["text"], dialogues: { train: 4, valid: 2, test: 1 } });
    const { epochs } = await trainTrial(trialOf(engine, { dataset, options: { batchSize: 4 } }), ignore);
    for (const { train, stepLosses } of epochs) {
      expect(stepLosses).toEqual([train.total]);
    }
  });

  it("never reads a label of the test part, and does not need one", async () => {
    const run = async (testLabels: "absent" | "present" | "alarmed") => {
      const { testProbabilities } = await trainTrial(
        trialOf(engine, { dataset: tinyDataset({ modalities: ["text", "audio"], testLabels }) }),
        ignore,
      );
      return testProbabilities;
    };
    const alarmed = tinyDataset({ testLabels: "alarmed" });
    expect(() => alarmed.splits.test[0]?.labels).toThrow("somebody read the labels");
    const sealed = await run("alarmed");
    expect(await run("absent")).toEqual(sealed);
    expect(await run("present")).toEqual(sealed);
  });

  it("holds no tensor when it has ended, and no more from epoch to epoch", async () => {
    const before = memory().numTensors;
    for (const choice of [SDT, LMAM]) {
      const held: number[] = [];
      await trainTrial(trialOf(engine, { ...choice, options: { epochs: 4 } }), () => held.push(memory().numTensors));
      expect(new Set(held).size).toBe(1);
      expect(memory().numTensors).toBe(before);
    }
  });

  it("a loss that is no longer finite ends the trial, with epoch, step and a way out, and frees its memory", async () => {
    const before = memory().numTensors;
    const trial = trialOf(engine, { optimizer: { lr: 1e30 } });
    const error = await refusal(() => trainTrial(trial, ignore));
    expect(error.code).toBe("diverged");
    expect(error.message).toMatch(/^the loss became (NaN|Infinity) in epoch 1, step 2$/);
    expect(error.hint).toBe("Try a smaller optimizer.lr, or optimizer.maxGradientNorm=1.");
    expect(memory().numTensors).toBe(before);
  });

  it("divergence in the last step of an epoch shows in its predictions", async () => {
    const before = memory().numTensors;
    const trial = trialOf(engine, { optimizer: { lr: 1e30 }, options: { epochs: 1, batchSize: 100 } });
    const error = await refusal(() => trainTrial(trial, ignore));
    expect([error.code, error.message]).toEqual(["diverged", "predictions are not finite after epoch 1"]);
    expect(memory().numTensors).toBe(before);
  });

  it("an error of who follows the epochs ends the trial and frees its memory", async () => {
    const before = memory().numTensors;
    const follow = () => {
      throw new Error("disk full");
    };
    await expect(trainTrial(trialOf(engine), follow)).rejects.toThrow("disk full");
    expect(memory().numTensors).toBe(before);
  });
});

describe("what a trial refuses before it trains", () => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine("cpu");
  });

  const withPart = (split: "train" | "valid", change: (dialogues: readonly Dialogue[]) => readonly Dialogue[]) => {
    const dataset = tinyDataset();
    return { ...dataset, splits: { ...dataset.splits, [split]: change(dataset.splits[split]) } };
  };
  const refused = async (dataset: ReturnType<typeof withPart>) => {
    const before = memory().numTensors;
    const error = await refusal(() => trainTrial(trialOf(engine, { dataset }), ignore));
    expect(memory().numTensors).toBe(before);
    return error;
  };

  it.each(["train", "valid"] as const)("a dialogue of the %s part without labels, by name", async (split) => {
    const unlabel = (dialogues: readonly Dialogue[]) =>
      dialogues.map((dialogue, i) => {
        const { labels: _, ...rest } = dialogue;
        return i === 2 ? rest : dialogue;
      });
    const error = await refused(withPart(split, unlabel));
    expect([error.code, error.message]).toEqual(["sealed", `the labels of dialogue "${split}2" are sealed`]);
  });

  it.each(["train", "valid"] as const)("an empty %s part", async (split) => {
    const error = await refused(withPart(split, () => []));
    expect([error.code, error.message]).toEqual(["data", `data set "tiny" has no dialogues in its ${split} part`]);
  });

  it("without test dialogues it trains, and predicts nothing", async () => {
    const dataset = tinyDataset({ dialogues: { train: 2, valid: 2, test: 0 } });
    const { testProbabilities } = await trainTrial(trialOf(engine, { dataset }), ignore);
    expect(testProbabilities.map((part) => part.length)).toEqual([0, 0]);
  });
});

describe("selectEpoch", () => {
  const epochs = (metric: string, scores: readonly number[]): EpochReport[] =>
    scores.map((value, i) => ({ epoch: i + 1, train: {}, stepLosses: [], valid: { [metric]: value }, seconds: 0 }));

  it.each([
    ["weighted-f1", [0.2, 0.6, 0.4], 2],
    ["weighted-f1", [0.6, 0.6, 0.6], 1],
    ["accuracy", [0.1, 0.5, 0.5], 2],
    ["macro-f1", [0, 0], 1],
    ["nll", [1.2, 0.9, 1.1], 2],
    ["nll", [0.9, 0.9], 1],
    ["nll", [2, 1, 1], 2],
  ])("by %s of %o takes epoch %d: the best, the earliest on ties", (metric, scores, expected) => {
    expect(selectEpoch(epochs(metric, scores), metric)).toBe(expected);
  });

  it("refuses an unknown metric, one that was not measured, and NaN", async () => {
    expect((await refusal(() => selectEpoch([], "weighted-f2"))).hint).toContain('Did you mean "weighted-f1"?');
    expect(() => selectEpoch(epochs("accuracy", [1]), "nll")).toThrow("epoch 1 has no nll");
    expect(() => selectEpoch(epochs("nll", [1, Number.NaN]), "nll")).toThrow("epoch 2 has no nll");
  });
});

describe("options of the trainer", () => {
  it("have these defaults, and parse to themselves", () => {
    const options = trainerOptions.parse({});
    expect(options).toEqual({ epochs: 60, batchSize: 16, evaluationBatchSize: 16, selectBy: null });
    expect(trainerOptions.parse(options)).toEqual(options);
  });

  it.each([
    [{ epochs: 0 }, "epochs"],
    [{ batchSize: 1.5 }, "batchSize"],
    [{ evaluationBatchSize: -1 }, "evaluationBatchSize"],
    [{ selectBy: "test-f1" }, "selectBy"],
  ])("%o is refused at %s", (given, path) => {
    expect(trainerOptions.safeParse(given).error?.issues.map((issue) => issue.path)).toEqual([[path]]);
  });

  it("unknown keys are refused", () => {
    expect(trainerOptions.safeParse({ lr: 1 }).error?.issues[0]).toMatchObject({ keys: ["lr"] });
  });
});
