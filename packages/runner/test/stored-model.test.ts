// A model that is built again from its trial's folder predicts what it predicted then.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeNpz, encodeNpz } from "@merclab/data";
import { plugins as onnxPlugins } from "@merclab/engine-onnx";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { openStoredModel, readTrial, readWeightsOrigin, TRIAL_FILES } from "../src/index.ts";
import { errorOf, SHIPPED, write } from "./support.ts";
import { FOLDER } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

const ALL = [...SHIPPED, ...onnxPlugins];

describe.each(["cpu", "wasm", "onnx"])("a stored model on %s", (engine) => {
  test("predicts the stored probabilities of the selected epoch, bit for bit, and holds nothing at the end", async () => {
    const overrides = [`engine=${engine}`, "fusion=sdt", "trainer.epochs=5", "optimizer.lr=0.05"];
    const { folder, run, site } = await tinyTrial({}, ALL, ...overrides);
    await run();
    const { result } = await readTrial(folder);
    const stored = decodeNpz(readFileSync(join(folder, TRIAL_FILES.testProbabilities))).probabilities;
    const [epochs = 0, utterances = 0, width = 0] = stored?.shape ?? [];
    expect([epochs, utterances, width]).toEqual([5, 2, 2]);
    const model = await openStoredModel(folder, site);
    const tensors = memory().numTensors;
    const predictions = await model.predict(model.loaded.dataset.splits.test);
    expect(memory().numTensors).toBe(tensors);
    await model.dispose();
    const size = utterances * width;
    const half = { shape: [size], data: predictions, dtype: "f2" } as const;
    const start = size * ((result?.selection.epoch ?? 0) - 1);
    expect(decodeNpz(encodeNpz({ half })).half?.data).toEqual(stored?.data.subarray(start, start + size));
    const csv = readFileSync(join(folder, TRIAL_FILES.predictions), "utf8").trim().split("\n").slice(1);
    expect(csv.map((line) => line.split(",").slice(-width))).toEqual(
      Array.from({ length: utterances }, (_, row) =>
        [...predictions.subarray(row * width, (row + 1) * width)].map((value) => value.toFixed(6)),
      ),
    );
    expect(await readWeightsOrigin(join(folder, TRIAL_FILES.weights))).toMatchObject({
      trial: result?.id,
      epoch: result?.selection.epoch,
      dataset: "tiny",
      config: { encoder: { name: "linear" } },
      site: { modalities: [{ name: "text", dim: 2 }], numSpeakers: 2 },
    });
  });
});

test("a trial that is not done, or that kept no weights, says what to do", async () => {
  const { folder, run, site } = await tinyTrial();
  expect(await errorOf(() => openStoredModel(folder, site), folder)).toMatch(
    /^storage \| DIR \| run \w+ is not done \(planned\), so it has no weights \| Finish it first: exp run study$/,
  );
  await run({ keepWeights: false });
  expect(existsSync(join(folder, TRIAL_FILES.weights))).toBe(false);
  expect(await errorOf(() => openStoredModel(folder, site), folder)).toMatch(
    /^storage \| DIR \| run \w+ stored no weights \| It ran with --keep-weights none/,
  );
});

test("weights that are damaged, and data that changed, are refused", async () => {
  const { place, folder, run, site } = await tinyTrial();
  await run();
  const file = join(folder, TRIAL_FILES.weights);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, bytes.length - 4));
  const before = memory().numTensors;
  expect(await errorOf(() => openStoredModel(folder, site), folder)).toMatch(
    /^data \| DIR\/weights.safetensors \| not a readable safetensors file/,
  );
  expect(memory().numTensors).toBe(before);
  writeFileSync(file, bytes);
  write(join(place, "data/mine"), {
    "utterances.csv": FOLDER["utterances.csv"].replace("a,0,M,train,calm", "a,0,M,train,tense"),
  });
  expect(await errorOf(() => openStoredModel(folder, site), folder)).toMatch(/^data \| .* \| the data changed since/);
});
