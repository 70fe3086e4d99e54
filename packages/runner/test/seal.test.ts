// Test labels never reach training: not through a plugin that asks, not through a number.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Dataset, definePlugin, type Plugin, visibleLabels } from "@merclab/core";
import { expect, test } from "vitest";
import { readJournal, readTrial, TRIAL_FILES } from "../src/index.ts";
import { errorOf, SHIPPED, write } from "./support.ts";
import { FOLDER } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

const shipped = <K extends "dataset" | "encoder">(kind: K, name: string) =>
  SHIPPED.find((plugin) => plugin.kind === kind && plugin.name === name) as Plugin<K>;

/** A linear encoder that looks at what it is given when it is made. */
function curiousEncoder(look: (site: Dataset) => void): Plugin {
  const linear = shipped("encoder", "linear");
  return definePlugin({
    ...linear,
    name: "curious",
    create: (options, site) => {
      look(site as unknown as Dataset);
      return linear.create(options, site);
    },
  });
}

test("a plugin that asks for test labels fails with the code sealed, and leaves no result", async () => {
  let isTraining = false;
  const encoder = curiousEncoder(({ splits }) => {
    const [dialogue] = splits.test;
    if (isTraining && dialogue !== undefined) {
      visibleLabels(dialogue);
    }
  });
  const { folder, run } = await tinyTrial({}, [...SHIPPED, encoder], "encoder=curious");
  isTraining = true;
  expect(await errorOf(run)).toMatch(/^sealed \| - \| the labels of dialogue "e" are sealed/);
  const { result, status } = await readTrial(folder);
  expect(result).toBeUndefined();
  expect(status).toMatchObject({ state: "failed", error: expect.stringContaining("sealed") });
  expect(readJournal(join(folder, TRIAL_FILES.journal)).at(-1)).toMatchObject({ t: "end", status: "FAILED" });
});

test("a plugin sees the labels of training and validation dialogues, and of no other", async () => {
  const seen = new Map<string, boolean[]>();
  const encoder = curiousEncoder(({ splits }) => {
    for (const [part, dialogues] of Object.entries(splits)) {
      seen.set(
        part,
        dialogues.map((dialogue) => "labels" in dialogue),
      );
    }
  });
  const { run } = await tinyTrial({}, [...SHIPPED, encoder], "encoder=curious");
  await run();
  expect(Object.fromEntries(seen)).toEqual({ train: [true, true, true], valid: [true], test: [false] });
});

test("other test labels change the scores, and not one number before them", async () => {
  const table = FOLDER["utterances.csv"].replace("e,0,M,test,calm", "e,0,M,test,tense");
  expect(table).not.toBe(FOLDER["utterances.csv"]);
  const [one, other] = [await tinyTrial(), await tinyTrial({ "utterances.csv": table })];
  await one.run();
  await other.run();
  const curves = ({ folder }: typeof one) =>
    readJournal(join(folder, TRIAL_FILES.journal)).flatMap((record) => {
      if (record.t !== "m") {
        return [];
      }
      return [Object.entries(record.v).filter(([name]) => !name.includes("seconds"))];
    });
  expect(curves(one)).toHaveLength(3);
  expect(curves(other)).toEqual(curves(one));
  const probabilities = ({ folder }: typeof one) => readFileSync(join(folder, TRIAL_FILES.testProbabilities));
  expect(probabilities(other).equals(probabilities(one))).toBe(true);
  const [a, b] = [(await readTrial(one.folder)).result, (await readTrial(other.folder)).result];
  expect(b?.selection).toEqual(a?.selection);
  expect(b?.test.validSelected.metrics.accuracy).not.toBe(a?.test.validSelected.metrics.accuracy);
  const predicted = ({ folder }: typeof one) =>
    readFileSync(join(folder, TRIAL_FILES.predictions), "utf8")
      .split("\n")
      .map((line) => line.split(",").toSpliced(2, 1));
  expect(predicted(other)).toEqual(predicted(one));
});

test("the seal is opened once, after the last epoch, by a worker and by nobody who plans", async () => {
  const events: string[] = [];
  const folderPlugin = shipped("dataset", "folder");
  const watched = definePlugin({
    ...folderPlugin,
    create: (options, site) => {
      const source = folderPlugin.create(options, site);
      const load = async () => {
        const { dataset, seal } = await source.load();
        const open = (reason: string) => {
          events.push("opened");
          return seal.open(reason);
        };
        return { dataset, seal: { open } };
      };
      return { ...source, load };
    },
  });
  const plugins = SHIPPED.map((plugin) => (plugin === folderPlugin ? watched : plugin));
  const { run, messages } = await tinyTrial({}, plugins);
  const push = messages.push.bind(messages);
  messages.push = (...each) => {
    events.push(...each.map(({ type }) => type));
    return push(...each);
  };
  await run();
  expect(events).toEqual(["epoch", "epoch", "epoch", "opened"]);
});

test("data that changed since the plan are refused", async () => {
  const { folder, run } = await tinyTrial();
  write(join(folder, "../../../../data/mine"), {
    "utterances.csv": FOLDER["utterances.csv"].replace("a,0,M,train,calm", "a,0,M,train,tense"),
  });
  expect(await errorOf(run)).toMatch(/^data \| .*mine \| the data changed since the trial was planned \| Run the/);
});

test("a trial that is done is not run again; one that failed is, as another attempt", async () => {
  const { folder, run, messages } = await tinyTrial();
  write(folder, { [TRIAL_FILES.status]: JSON.stringify({ state: "failed", attempt: 4 }) });
  await run();
  expect((await readTrial(folder)).status).toMatchObject({ state: "done", attempt: 5 });
  expect(messages).toHaveLength(3);
  const before = readFileSync(join(folder, TRIAL_FILES.result), "utf8");
  await run();
  expect(messages).toHaveLength(3);
  expect(readFileSync(join(folder, TRIAL_FILES.result), "utf8")).toBe(before);
});
