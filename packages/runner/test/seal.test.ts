// Test labels never reach training: not through a plugin that asks, not through a number.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Dataset,
  type Dialogue,
  definePlugin,
  hasVisibleLabels,
  type Labels,
  MerclabError,
  type Plugin,
  visibleLabels,
} from "@merclab/core";
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

test.each<[string, (dialogue: Dialogue) => Labels | undefined]>([
  ["the field itself", (dialogue) => dialogue.labels],
  ["destructuring", ({ labels }) => labels],
  ["its descriptor", (dialogue) => Object.getOwnPropertyDescriptor(dialogue, "labels")?.get?.call(dialogue) as Labels],
])("so does one that reads them by %s, on its way through the parts that it is given", async (_, read) => {
  let isTraining = false;
  const encoder = curiousEncoder(({ splits }) => {
    if (isTraining) {
      splits.test.map(read);
    }
  });
  const { folder, run } = await tinyTrial({}, [...SHIPPED, encoder], "encoder=curious");
  isTraining = true;
  expect(await errorOf(run)).toBe(
    'sealed | - | the labels of dialogue "e" are sealed | ' +
      "Test labels are read by the scoring step only, after training has ended.",
  );
  expect((await readTrial(folder)).result).toBeUndefined();
});

test("a copy of a test dialogue has no labels either", async () => {
  const copies: unknown[] = [];
  const encoder = curiousEncoder(({ splits }) => {
    copies.push(...splits.test.map((dialogue) => ({ ...dialogue })), structuredClone(splits.test[0]));
  });
  await tinyTrial({}, [...SHIPPED, encoder], "encoder=curious");
  expect(copies.length).toBeGreaterThan(0);
  expect(copies.every((copy) => !("labels" in (copy as object)))).toBe(true);
});

const KINDS = ["encoder", "fusion", "objective", "balancer", "optimizer", "engine"] as const;

test.each(KINDS)("whatever a plugin of kind %s is given when it is made, no test label is in it", async (kind) => {
  const reached = { test: 0, train: 0, sealed: 0 };
  const walk = (value: unknown, seen: Set<unknown>): void => {
    if (typeof value !== "object" || value === null || seen.has(value) || ArrayBuffer.isView(value)) {
      return;
    }
    seen.add(value);
    if ("utteranceIds" in value) {
      const dialogue = value as Dialogue;
      try {
        const { labels } = dialogue;
        reached[dialogue.id === "e" ? "test" : "train"] += labels === undefined ? 0 : 1;
      } catch (error) {
        reached.sealed += error instanceof MerclabError && error.code === "sealed" ? 1 : 0;
      }
    }
    for (const each of Object.values(value)) {
      walk(each, seen);
    }
  };
  const plugins = SHIPPED.map((plugin) => {
    if (plugin.kind !== kind) {
      return plugin;
    }
    const create = (options: unknown, site: unknown) => {
      walk(site, new Set());
      return (plugin as Plugin<"encoder">).create(options, site as never);
    };
    return { ...plugin, create } as unknown as Plugin;
  });
  const { run, folder } = await tinyTrial({}, plugins);
  await run();
  expect((await readTrial(folder)).result).toBeDefined();
  expect(reached.test).toBe(0);
  // An encoder is given the data set, so what was looked for can be found.
  expect(reached.train > 0 && reached.sealed > 0).toBe(kind === "encoder");
});

test("a data set plugin that hands out test labels is refused when the study is planned", async () => {
  const folderPlugin = shipped("dataset", "folder");
  const leaking = definePlugin({
    ...folderPlugin,
    create: (options, site) => {
      const source = folderPlugin.create(options, site);
      const load = async () => {
        const { dataset, seal } = await source.load();
        const test = dataset.splits.test.map((dialogue) => ({ ...dialogue, labels: Int32Array.of(0, 1) }));
        return { dataset: { ...dataset, splits: { ...dataset.splits, test } }, seal };
      };
      return { ...source, load };
    },
  });
  const plugins = SHIPPED.map((plugin) => (plugin === folderPlugin ? leaking : plugin));
  expect(await errorOf(() => tinyTrial({}, plugins))).toMatch(
    /^sealed \| - \| data set "tiny" hands out the labels of test dialogue "e" \| Its plugin must leave labels out of/,
  );
});

test("a plugin sees the labels of training and validation dialogues, and of no other", async () => {
  const seen = new Map<string, boolean[]>();
  const encoder = curiousEncoder(({ splits }) => {
    for (const [part, dialogues] of Object.entries(splits)) {
      seen.set(part, dialogues.map(hasVisibleLabels));
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
