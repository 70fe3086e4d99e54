// Gates and attention of a stored model, computed when somebody asks for them.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Dialogue } from "@merclab/core";
import { plugins as onnxPlugins } from "@merclab/engine-onnx";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { readShown, showTrial, TRIAL_FILES } from "../src/index.ts";
import { chooseDialogues } from "../src/stored-model/shown-file.ts";
import { errorOf, SHIPPED } from "./support.ts";
import { FEATURES, FOLDER, npy } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

const ALL = [...SHIPPED, ...onnxPlugins];

/** The tiny folder with a second modality. */
const TWO = {
  "dataset.yaml": `${FOLDER["dataset.yaml"]}  audio: { file: audio.npy, width: 2 }\n`,
  "audio.npy": npy(
    FEATURES.map((value) => 1 - value),
    2,
  ),
};

describe("showTrial", () => {
  test("computes SDT's gates, which sum to one, stores them, and then reads them", async () => {
    const { folder, run, site } = await tinyTrial(TWO, ALL, "fusion=sdt", "engine=wasm");
    await run();
    const before = readFileSync(join(folder, TRIAL_FILES.result), "utf8");
    const tensors = memory().numTensors;
    const shown = await showTrial(folder, site);
    expect(memory().numTensors).toBe(tensors);
    const [dialogue] = shown.dialogues;
    const { "gate.text": text, "gate.audio": audio } = dialogue?.arrays ?? {};
    expect([text?.shape, audio?.shape]).toEqual([[2], [2]]);
    for (const place of [0, 1]) {
      expect((text?.data[place] ?? 0) + (audio?.data[place] ?? 0)).toBeCloseTo(1, 2);
    }
    expect(statSync(join(folder, TRIAL_FILES.shownArrays)).size).toBeLessThan(100_000);
    expect(await readShown(folder)).toEqual(shown);
    expect(await showTrial(folder, { ...site, dataRoot: "/nowhere" })).toEqual(shown);
    expect(readFileSync(join(folder, TRIAL_FILES.result), "utf8")).toBe(before);
  });

  test("cuts attention to the utterances of the dialogue", async () => {
    const { folder, run, site } = await tinyTrial(TWO, ALL, "fusion=lmam", "fusion.lmam.rank=2");
    await run();
    const { dialogues } = await showTrial(folder, site);
    const maps = Object.entries(dialogues[0]?.arrays ?? {});
    expect(maps.map(([name]) => name)).toContain("attention.audio.text");
    for (const [, { shape, data }] of maps) {
      expect(shape).toEqual([2, 2]);
      expect([...data].every(Number.isFinite)).toBe(true);
    }
  });

  test("stores that a fusion shows nothing", async () => {
    const { folder, run, site } = await tinyTrial({}, ALL, "fusion=sdt"); // gates weigh two modalities or more
    await run();
    expect(await showTrial(folder, site)).toMatchObject({ dialogues: [] });
    expect(existsSync(join(folder, TRIAL_FILES.shown))).toBe(true);
    expect(await readShown(folder)).toMatchObject({ dialogues: [] });
  });

  test("says what to do where no weights are stored", async () => {
    const { folder, run, site } = await tinyTrial({}, ALL);
    await run({ keepWeights: false });
    expect(await readShown(folder)).toBeUndefined();
    expect(await errorOf(() => showTrial(folder, site), folder)).toMatch(
      /^storage \| DIR \| run \w+ stored no weights/,
    );
  });
});

test("the longest dialogues that fit are shown, without a look at labels", () => {
  const dialogue = (id: string, utterances: number) =>
    new Proxy({ id, speakers: new Int32Array(utterances) } as Dialogue, {
      get: (target, key) => {
        expect(key).not.toBe("labels");
        return Reflect.get(target, key) as unknown;
      },
    });
  const lengths: [string, number][] = [
    ["a", 61],
    ["b", 3],
    ["c", 60],
    ["d", 1],
    ["e", 9],
    ["f", 9],
    ["g", 2],
  ];
  const chosen = chooseDialogues(lengths.map(([id, utterances]) => dialogue(id, utterances)));
  expect(chosen.map(({ id }) => id)).toEqual(["c", "e", "f"]);
});
