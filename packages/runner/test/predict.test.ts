// A trained model on folders: its own, one without labels, and ones that do not fit.
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeNpz } from "@merclab/data";
import { readWeights, writeWeights } from "@merclab/trainer";
import { memory } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { predictFolder, predictionFormat, TRIAL_FILES, writePredictions } from "../src/index.ts";
import { errorOf, temporaryFolder, write } from "./support.ts";
import { FEATURES, FOLDER, npy } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

/** The tiny folder as somebody has it who knows neither labels nor parts. */
const UNLABELLED = {
  "dataset.yaml": `name: new
utterances: utterances.csv
columns: { dialogue: dialogue, order: order }
speakers: { column: speaker, values: [M, F] }
modalities:
  text: { file: text.npy, width: 2 }
`,
  "utterances.csv": `dialogue,order,speaker\n${FOLDER["utterances.csv"]
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(",").slice(0, 3).join(","))
    .join("\n")}\n`,
  "text.npy": FOLDER["text.npy"],
};

async function trained(...overrides: string[]) {
  const trial = await tinyTrial({}, undefined, ...overrides);
  await trial.run();
  const weights = join(trial.folder, TRIAL_FILES.weights);
  const folder = join(trial.place, "new");
  write(folder, UNLABELLED);
  const predict = (change: Partial<Parameters<typeof predictFolder>[0]> = {}) =>
    predictFolder({ weights, data: folder, without: [], ...change }, trial.site);
  return { ...trial, weights, data: folder, predict };
}

/** Rows of a csv without quotes. */
function records(file: string): Record<string, string>[] {
  const [head = [], ...rows] = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  return rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [head[i] ?? "", cell])));
}

test("a folder without labels and parts is predicted as the labelled one was, in csv and npz", async () => {
  const { folder, predict, place } = await trained();
  const before = memory().numTensors;
  const predictions = await predict();
  expect(memory().numTensors).toBe(before);
  const csv = join(place, "out.csv");
  await writePredictions(csv, predictions);
  const rows = records(csv);
  expect(Object.keys(rows[0] ?? {})).toEqual(["dialogue", "utterance", "predicted", "calm", "tense"]);
  expect(rows.map(({ utterance }) => utterance)).toEqual(
    ["a", "b", "c", "d", "e"].flatMap((dialogue) => [`${dialogue}/0`, `${dialogue}/1`]),
  );
  const stored = records(join(folder, TRIAL_FILES.predictions));
  expect(stored).toHaveLength(2);
  for (const { utterance, predicted, calm } of stored) {
    const same = rows.find((row) => row.utterance === utterance);
    expect(same?.predicted).toBe(predicted);
    expect(Number(same?.calm)).toBeCloseTo(Number(calm), 5);
  }
  const npz = join(place, "out.npz");
  await writePredictions(npz, predictions);
  const { probabilities, rows: order } = decodeNpz(readFileSync(npz));
  expect(probabilities?.shape).toEqual([10, 2]);
  expect(probabilities?.data).toEqual(predictions.predictions);
  expect([...(order?.data ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  rows.forEach(({ calm }, i) => {
    expect(Math.fround(Number(calm))).toBe(predictions.predictions[2 * i]);
  });
});

test("labels that are there, wrong or half empty, are not read", async () => {
  const { place, predict } = await trained();
  const labelled = join(place, "labelled");
  write(labelled, { ...FOLDER, "utterances.csv": FOLDER["utterances.csv"].replaceAll("calm", "") });
  expect((await predict({ data: labelled })).predictions).toEqual((await predict()).predictions);
});

test("features are put on the scale of the training data, not on that of the folder", async () => {
  const { place, predict } = await trained();
  const one = join(place, "one");
  // The first dialogue alone: fitted on itself, its columns would be ±1.
  const [head, ...rows] = UNLABELLED["utterances.csv"].trim().split("\n");
  write(one, {
    ...UNLABELLED,
    "utterances.csv": `${head}\n${rows.slice(0, 2).join("\n")}\n`,
    "text.npy": npy(FEATURES.slice(0, 4), 2),
  });
  const alone = (await predict({ data: one })).predictions;
  const among = (await predict()).predictions.subarray(0, alone.length);
  expect(alone).toHaveLength(4);
  alone.forEach((value, i) => {
    expect(value).toBeCloseTo(among[i] ?? Number.NaN, 5);
  });
});

test("a file of weights is enough, wherever it lies; other weights that fit the model can be used", async () => {
  const { weights, predict, spec } = await trained();
  const elsewhere = temporaryFolder();
  const moved = join(elsewhere, "x.safetensors");
  copyFileSync(weights, moved);
  expect((await predict({ weights: moved })).predictions).toEqual((await predict()).predictions);
  expect(existsSync(join(elsewhere, "graphs"))).toBe(false);
  const other = await trained("optimizer.lr=0.02");
  expect(other.spec.id).not.toBe(spec.id);
  const foreign = await predict({ otherWeights: other.weights });
  expect(foreign.predictions).toEqual((await other.predict()).predictions);
  expect(foreign.predictions).not.toEqual((await predict()).predictions);
});

test("weights that do not say their model, or say it badly, are refused", async () => {
  const { place, weights, predict } = await trained();
  const tensors = await readWeights(weights);
  const file = join(place, "other.safetensors");
  await writeWeights(tensors, file);
  expect(await errorOf(() => predict({ weights: file }), place)).toMatch(
    /^data \| DIR\/other.safetensors \| the weights do not say which model they belong to \| Name a run/,
  );
  await writeWeights(tensors, file, { format: "merclab-weights-1", config: "{" });
  expect(await errorOf(() => predict({ weights: file }), place)).toMatch(
    /^data \| DIR\/other.safetensors \| what the weights say of their model cannot be read/,
  );
});

test("what does not fit is refused with what the model takes", async () => {
  const { place, predict, weights } = await trained();
  const attempt = (files: Readonly<Record<string, string | Uint8Array>>, without: string[] = []) => {
    const data = join(place, `bad-${Math.random()}`);
    write(data, { ...UNLABELLED, ...files });
    return errorOf(() => predict({ data, without }), data);
  };
  const yaml = UNLABELLED["dataset.yaml"];
  expect(
    await attempt({
      "dataset.yaml": yaml.replace("width: 2", "width: 3"),
      "text.npy": npy([...FEATURES, ...FEATURES.slice(0, 10)], 3),
    }),
  ).toMatch(
    /^data \| DIR \| text: the model takes features of width 2, these have 3 \| They must come from the extractor/,
  );
  expect(await attempt({ "dataset.yaml": yaml.replace("text:", "audio:") })).toMatch(
    /^data \| DIR\/dataset.yaml \| the model takes text; the folder has no text \| .*--without text/,
  );
  expect(await attempt({ "dataset.yaml": yaml.replace("[M, F]", "[M, F, X]") })).toMatch(
    /^data \| DIR\/dataset.yaml \(speakers\) \| the model knows 2 speakers, the folder has 3/,
  );
  expect(await attempt({}, ["text"])).toMatch(/^config \| .* \| no modality is left \| It takes text\./);
  expect(await attempt({}, ["txt"])).toMatch(
    /^config \| .* \| the model knows no modality "txt" \| Did you mean "text"/,
  );
  expect(await attempt({ "text.npy": npy([...FEATURES.slice(0, -1), Number.NaN], 2) })).toMatch(
    /text: NaN in the features/,
  );
  expect(await attempt({ "utterances.csv": "dialogue,order\na,0\n" })).toMatch(/missing column "speaker"/);
  expect(await errorOf(() => predict({ weights: join(place, "none.safetensors") }), place)).toMatch(
    /^data \| DIR\/none.safetensors \| the weights cannot be read \(ENOENT\)/,
  );
  expect(await errorOf(() => predict({ otherWeights: join(place, "data/mine/text.npy") }), place)).toMatch(
    /^data \| .*text.npy \| not a readable safetensors file/,
  );
  expect(existsSync(weights)).toBe(true);
  expect(() => predictionFormat("x.json")).toThrow("predictions are written as csv or npz");
});

test("a modality that is left out is missing everywhere", async () => {
  const two = {
    "dataset.yaml": `${FOLDER["dataset.yaml"]}  audio: { file: audio.npy, width: 1 }\n`,
    "audio.npy": npy(
      FEATURES.filter((_, i) => i % 2 === 0),
      1,
    ),
  };
  const trial = await tinyTrial(two);
  await trial.run();
  const data = join(trial.place, "new");
  write(data, UNLABELLED);
  const request = { weights: join(trial.folder, TRIAL_FILES.weights), data };
  expect(await errorOf(() => predictFolder({ ...request, without: [] }, trial.site), data)).toMatch(
    /the model takes text, audio; the folder has no audio/,
  );
  const { dialogues, predictions } = await predictFolder({ ...request, without: ["audio"] }, trial.site);
  expect(dialogues.map(({ present }) => [...(present.audio ?? [])])).toEqual(dialogues.map(() => [0, 0]));
  expect(predictions.every(Number.isFinite)).toBe(true);
});
