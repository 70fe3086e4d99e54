// One cell to its resolved config: which layer wins, what is conditional, and what a slip is told.

import type { Task } from "@merclab/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resolveConfig } from "../src/config/resolve.ts";
import type { Assignment } from "../src/index.ts";
import { createBench, errorOf, SMALL } from "./support.ts";

const FILES = {
  "configs/fusion/sdt.yaml": "with: { objective: self-distillation, optimizer.lr: 0.1 }",
  "configs/trainer/short.yaml": "options: { epochs: 3 }",
};

const set = (...pairs: [string, Assignment["value"]][]): Assignment[] =>
  pairs.map(([key, value]) => ({ key, value, where: `place of ${key}` }));

const taskOf = async (): Promise<Task> => ({ type: "single-label", classes: ["a", "b"] });

async function resolve(...layers: Assignment[][]) {
  const { site } = createBench(FILES);
  return resolveConfig({ name: "synthetic", where: "datasets" }, layers, site.groups, site.registry, "cpu", taskOf);
}

describe("precedence", () => {
  test("what a choice brings along is stronger than defaults", async () => {
    const { config } = await resolve();
    expect(config.objective.name).toBe("self-distillation");
    expect(config.optimizer.options.lr).toBe(0.1);
  });

  test("with < base < when < matrix < command line", async () => {
    const layers: Assignment[][] = [];
    for (const lr of [0.2, 0.3, 0.4, 0.5]) {
      layers.push(set(["optimizer.lr", lr]));
      expect((await resolve(...layers)).config.optimizer.options.lr).toBe(lr);
    }
    expect((await resolve(set(["objective", "cross-entropy"]))).config.objective.name).toBe("cross-entropy");
  });

  test("an explicit option is stronger than one of the choice's file", async () => {
    const short = await resolve(set(["trainer", "short"]));
    expect(short.config.trainer.options).toMatchObject({ epochs: 3, batchSize: 16 });
    const shorter = await resolve(set(["trainer", "short"], ["trainer.epochs", 2]));
    expect(shorter.config.trainer.options.epochs).toBe(2);
  });

  test("the order within a file says nothing about choice and option", async () => {
    const one = await resolve(set(["trainer.epochs", 2], ["trainer", "short"]));
    const other = await resolve(set(["trainer", "short"], ["trainer.epochs", 2]));
    expect(one.config).toEqual(other.config);
  });

  test("the last layer that sets an option wins, whatever the layers", async () => {
    const layer = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
    const { site } = createBench(FILES);
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { maxLength: 5 }), async (epochs) => {
        const layers = epochs.map((value) => (value === undefined ? [] : set(["trainer.epochs", value])));
        const { config } = await resolveConfig(
          { name: "synthetic" },
          layers,
          site.groups,
          site.registry,
          "cpu",
          taskOf,
        );
        expect(config.trainer.options.epochs).toBe(epochs.findLast((each) => each !== undefined) ?? 60);
      }),
      { numRuns: 30 },
    );
  });
});

describe("conditional options", () => {
  test("hold where their choice is made, and say nothing elsewhere", async () => {
    const rank = set(["fusion.lmam.rank", 9]);
    expect((await resolve(rank, set(["fusion", "lmam"]))).config.fusion.options.rank).toBe(9);
    expect((await resolve(rank)).config.fusion).not.toHaveProperty("options.rank");
  });

  test("are as strong as plain ones", async () => {
    const plain = set(["fusion.rank", 5]);
    const conditional = set(["fusion.lmam.rank", 9]);
    const chosen = set(["fusion", "lmam"]);
    expect((await resolve(chosen, plain, conditional)).config.fusion.options.rank).toBe(9);
    expect((await resolve(chosen, conditional, plain)).config.fusion.options.rank).toBe(5);
  });

  test("are checked where they do not hold", async () => {
    expect(await errorOf(() => resolve(set(["fusion.lmam.rnk", 9])))).toMatch(
      /^config \| place of fusion.lmam.rnk \| fusion lmam: unknown key "rnk". Did you mean "rank"\?/,
    );
    expect(await errorOf(() => resolve(set(["fusion.lmam.rank", "four"])))).toBe(
      'config | place of fusion.lmam.rank | fusion lmam: "rank": expected a number, got "four" | -',
    );
    expect(await errorOf(() => resolve(set(["dataset.synthetic.widths.text", 0], ["fusion", "lmam"])))).toMatch(
      /^config \| place of dataset.synthetic.widths.text \| dataset synthetic: "widths.text"/,
    );
  });
});

describe("effective assignments", () => {
  test("are those that nothing stronger replaced and whose choice is made", async () => {
    const [weak, strong, unchosen, whole] = set(
      ["optimizer.lr", 0.1],
      ["optimizer.lr", 0.2],
      ["fusion.lmam.rank", 4],
      ["dataset.widths", { text: 4 }],
    ) as [Assignment, Assignment, Assignment, Assignment];
    const [part, fusion] = set(["dataset.widths.text", 8], ["fusion", "sdt"]) as [Assignment, Assignment];
    const { effective } = await resolve([part], [weak, unchosen], [strong, whole, fusion]);
    expect([weak, strong, unchosen, whole, part, fusion].filter((each) => effective.has(each))).toEqual([
      strong,
      whole,
      fusion,
    ]);
  });
});

describe("slips", () => {
  test.each([
    [set(["fuson", "sdt"]), 'config | place of fuson | unknown group "fuson" in "fuson" | Did you mean "fusion"?'],
    [set(["fusion", "sdtt"]), 'config | place of fusion | unknown fusion "sdtt" | Did you mean "sdt"?'],
    [set(["fusion", 4]), "config | place of fusion | fusion must be a name, got 4 | Known: lmam, sdt."],
    [
      set(["optimizer", { lr: 1 }]),
      'config | place of optimizer | optimizer must be a name, got {"lr":1} | ' +
        "Options have a line each, with the group before the dot, such as optimizer.lr.",
    ],
    [
      set(["optimizer..lr", 1]),
      'config | place of optimizer..lr | "optimizer..lr" names no option | Options look like',
    ],
    [set(["optimizer.__proto__.lr", 1]), '"optimizer.__proto__.lr" names no option'],
    [set(["dataset", "meld"]), "config | place of dataset | data sets are not chosen here | An experiment lists them"],
    [
      set(["optimizer.learningRate", 1]),
      'config | place of optimizer.learningRate | optimizer adam: unknown key "learningRate"',
    ],
    [
      set(["optimizer.lr", "fast"]),
      'config | place of optimizer.lr | optimizer adam: "lr": expected a number, got "fast"',
    ],
    [set(["trainer.epochs", 0]), 'config | place of trainer.epochs | trainer default: "epochs"'],
  ])("%j", async (layer, message) => {
    expect(await errorOf(() => resolve(layer))).toContain(message);
  });

  test("an option of another choice is told how to be set there only", async () => {
    expect(await errorOf(() => resolve(set(["fusion.rank", 4])))).toMatch(
      /fusion sdt: unknown key "rank".* \| It is an option of lmam: fusion.lmam.rank sets it there only.$/,
    );
    expect(await errorOf(() => resolve(set(["fusion.rank", "x"])))).toMatch(/ \| -$/);
  });

  test("the place is that of the wrong one among several options", async () => {
    const layer = set(["dataset.widths.text", 4], ["dataset.widths.audio", "wide"], ["dataset.widths.visual", 6]);
    expect(await errorOf(() => resolve(layer))).toMatch(/^config \| place of dataset.widths.audio \|/);
  });

  test("an unknown key in a file is told with file, line and the nearest name", async () => {
    const bench = createBench();
    const at = (yaml: string) => errorOf(() => bench.plan(yaml), bench.folder);
    expect(await at("datasets: [synthetic]\nbase:\n  optimizer: adam\n  optimizer.lrr: 1")).toMatch(
      /^config \| DIR\/study.yaml:5 \| optimizer adam: unknown key "lrr". Did you mean "lr"\?/,
    );
    expect(await at("datasets: [synthetic]\nseed: 3")).toMatch(
      /^config \| DIR\/study.yaml:3 \| unknown key "seed". Did you mean "seeds"\?/,
    );
    expect(await at("datasets: [synthetic]\nmatrix: { fusion: sdt }")).toBe(
      'config | DIR/study.yaml:3 | matrix axis "fusion" needs a list of values | fusion: [a, b]',
    );
    expect(await at("datasets: synthetic")).toMatch(
      /^config \| DIR\/study.yaml:2 \| "datasets": expected a list, got "synthetic"/,
    );
    expect(await at(`datasets: [synthetic]${SMALL}\nwhen:\n  - dataset: melt\n    set: { fusion: lmam }`)).toMatch(
      /^config \| DIR\/study.yaml:10 \| unknown dataset "melt" \| Did you mean "meld"\?/,
    );
  });
});
