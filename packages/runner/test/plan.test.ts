// An experiment to its trials.
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { trialId } from "../src/config/identity.ts";
import { cellValue, interleaveSeeds } from "../src/config/plan.ts";
import { createBench, errorOf, SMALL, write } from "./support.ts";
import { FEATURES, FOLDER, npy } from "./tiny-folder.ts";

const SYNTHETIC = `datasets: [synthetic]${SMALL}`;
const STOOD_IN = "SYNTHETIC DATA: these numbers say nothing";

const ids = (plan: { trials: readonly { id: string }[] }) => plan.trials.map(({ id }) => id);
const cells = (plan: { trials: readonly { cell: unknown }[] }) => plan.trials.map(({ cell }) => cell);

describe("data sets", () => {
  const named = `datasets: [iemocap, cmu-mosi]${SMALL}`;

  test("none found: synthetic data, and the notices say so", async () => {
    const plan = await createBench().plan(named);
    expect(cells(plan)).toEqual([{ dataset: "synthetic" }]);
    expect(plan.trials[0]?.data.source).toBe("synthetic");
    expect(plan.notices).toEqual([
      "not found: iemocap, cmu-mosi; synthetic data instead",
      expect.stringContaining(STOOD_IN),
    ]);
  });

  test("some found: the others are left out, and the notices say so", async () => {
    const bench = createBench();
    write(join(bench.folder, "data", "cmu-mosi"), FOLDER);
    const site = createBench({}, join(bench.folder, "data"));
    const plan = await site.plan(named);
    expect(cells(plan)).toEqual([{ dataset: "cmu-mosi" }]);
    expect(plan.trials[0]?.data.source).toBe("real");
    expect(plan.notices).toEqual(["not found, left out: iemocap"]);
    expect(plan.datasets.map(({ name, folder }) => [name, folder])).toEqual([
      ["cmu-mosi", join(bench.folder, "data", "cmu-mosi")],
    ]);
  });

  test("one that was asked for on the command line must be there", async () => {
    const bench = createBench();
    const { plan } = createBench({}, bench.folder);
    for (const override of ["datasets=meld", "datasets=synthetic,meld", "datasets=[meld]", "dataset=meld"]) {
      expect(await errorOf(() => plan(named, override), bench.folder)).toMatch(
        /^data \| DIR\/meld \| data set "meld" was not found \| .*--data DIR/,
      );
    }
  });

  test("an unknown name is told with its place", async () => {
    const { plan, folder } = createBench();
    expect(await errorOf(() => plan("datasets:\n  - meld\n  - iemocapp"), folder)).toMatch(
      /^config \| DIR\/study.yaml:4 \| unknown dataset "iemocapp" \| Did you mean "iemocap"\?/,
    );
    expect(await errorOf(() => plan(SYNTHETIC, "datasets=[]"), folder)).toMatch("datasets names none");
  });

  test("a folder by its path, from the file or the command line, relative to the data root or absolute", async () => {
    const data = createBench();
    write(join(data.folder, "mine"), FOLDER);
    const { plan } = createBench({}, data.folder);
    const fromFile = await plan(`datasets: [folder]${SMALL}  dataset.folder.path: mine`);
    expect(cells(fromFile)).toEqual([{ dataset: "folder" }]);
    expect(fromFile.trials[0]?.config.dataset).toMatchObject({ name: "folder", options: { path: "mine" } });
    const path = join(data.folder, "mine");
    const absolute = await createBench().plan(SYNTHETIC, "datasets=folder", `dataset.folder.path=${path}`);
    expect(absolute.datasets[0]).toMatchObject({ name: "folder", folder: path });
    expect(absolute.trials[0]?.data).toEqual(fromFile.trials[0]?.data);
  });

  test("a folder whose path is given and wrong is no reason for synthetic data", async () => {
    const data = createBench();
    const { plan } = createBench({}, data.folder);
    const folder = `datasets: [folder]${SMALL}`;
    expect(await errorOf(() => plan(`${folder}  dataset.folder.path: nowhere`), data.folder)).toMatch(
      /^data \| DIR\/nowhere \| missing folder/,
    );
    expect(await errorOf(() => createBench().plan(`${folder}  dataset.folder.path: mine`))).toMatch(
      /no data root was given or found .*--data DIR/,
    );
    expect(await errorOf(() => plan(folder))).toMatch(/study.yaml:2 \| dataset folder: missing "path": expected text/);
  });

  test("an option for real data where synthetic data stand in says so", async () => {
    const { plan } = createBench();
    expect(await errorOf(() => plan("datasets: [meld]", "dataset.validFraction=0.2"))).toMatch(
      /unknown key "validFraction".*Synthetic data stand in, since none of meld was found/,
    );
  });

  test("`when` holds for the data sets that it names", async () => {
    const { plan } = createBench();
    const when = (dataset: string) => `${SYNTHETIC}when:\n  - { dataset: ${dataset}, set: { trainer.epochs: 7 } }`;
    expect((await plan(when("[meld, synthetic]"))).trials[0]?.config.trainer.options.epochs).toBe(7);
    expect((await plan(when("meld"))).trials[0]?.config.trainer.options.epochs).toBe(60);
    expect((await plan(when("synthetic"), "trainer.epochs=2")).trials[0]?.config.trainer.options.epochs).toBe(2);
  });

  test("two names for one data set are both in the plan's list", async () => {
    const { plan } = createBench({ "configs/dataset/twin.yaml": "plugin: synthetic" });
    const options = "base: { encoder.dim: 8, encoder.numHeads: 2 }";
    const { datasets, trials } = await plan(`datasets: [synthetic, twin]\n${options}`);
    expect(datasets.map(({ name }) => name)).toEqual(["synthetic", "twin"]);
    expect(trials).toHaveLength(1);
  });
});

describe("seeds", () => {
  const seedsOf = async (file: string, ...overrides: string[]) =>
    (await createBench().plan(`${SYNTHETIC}${file}`, ...overrides)).trials.map(({ seed }) => seed);

  test.each<[string, string[], number[]]>([
    ["", [], [0]],
    ["seeds: 3", [], [0, 1, 2]],
    ["seeds: [7, 3]", [], [3, 7]],
    ["seeds: 3", ["seeds=2"], [0, 1]],
    ["", ["seeds=3,7"], [3, 7]],
    ["", ["seeds=[3]"], [3]],
    ["", ["seeds=[3,7]"], [3, 7]],
    ["", ["seeds=5,5"], [5]],
    ["", ["seeds=9", "seeds=2"], [0, 1]],
  ])("%j with %j", async (file, overrides, seeds) => {
    expect(await seedsOf(file, ...overrides)).toEqual(seeds);
  });

  test.each(["0", "-1", "1.5", "2000000000", "true", "null", "many", "[]", "[1.5]", "[-1]", "[[1]]", "3,x"])(
    "seeds=%s is refused",
    async (text) => {
      expect(await errorOf(() => seedsOf("", `seeds=${text}`))).toMatch(
        /^config \| command line: seeds=.* seeds must be a positive number of seeds or a list/,
      );
    },
  );

  test("a file's seeds are checked with their line", async () => {
    const { plan, folder } = createBench();
    for (const seeds of ["0", "1.5", "[]", "[-1]", "many", "2000000000"]) {
      expect(await errorOf(() => plan(`seeds: ${seeds}\n${SYNTHETIC}`), folder)).toMatch(
        /^config \| DIR\/study.yaml:2 \|/,
      );
    }
  });
});

describe("axes", () => {
  const lmam = `${SYNTHETIC}matrix:\n  fusion: [sdt, lmam]\n  fusion.lmam.rank: [2, 3]\n`;

  test("cells name only the axes that apply, and equal trials are one", async () => {
    const plan = await createBench().plan(lmam);
    expect(cells(plan)).toEqual([
      { dataset: "synthetic", fusion: "sdt" },
      { dataset: "synthetic", fusion: "lmam", "fusion.lmam.rank": 2 },
      { dataset: "synthetic", fusion: "lmam", "fusion.lmam.rank": 3 },
    ]);
    expect(plan.trials.map(({ config }) => config.fusion.options.rank)).toEqual([undefined, 2, 3]);
  });

  test("values on the command line replace those of an axis, which stays one", async () => {
    const { plan } = createBench();
    expect(cells(await plan(lmam, "fusion=sdt"))).toEqual([{ dataset: "synthetic", fusion: "sdt" }]);
    expect(cells(await plan(lmam, "fusion=lmam", "fusion.lmam.rank=1,4"))).toEqual([
      { dataset: "synthetic", fusion: "lmam", "fusion.lmam.rank": 1 },
      { dataset: "synthetic", fusion: "lmam", "fusion.lmam.rank": 4 },
    ]);
  });

  test("a narrowed plan has the same trials to the letter", async () => {
    const { plan } = createBench();
    const [whole, part] = [await plan(lmam), await plan(lmam, "fusion=lmam", "fusion.lmam.rank=3")];
    expect(part.trials).toEqual(whole.trials.filter(({ cell }) => cell["fusion.lmam.rank"] === 3));
    expect([whole.isOverridden, part.isOverridden]).toEqual([false, true]);
  });

  test("a single value of what is no axis is in no cell", async () => {
    expect(cells(await createBench().plan(SYNTHETIC, "fusion=lmam"))).toEqual([{ dataset: "synthetic" }]);
  });

  test("a value that a stronger one replaced is in no cell", async () => {
    const plan = await createBench().plan(lmam, "fusion=lmam", "fusion.rank=4");
    expect(cells(plan)).toEqual([{ dataset: "synthetic", fusion: "lmam" }]);
    expect(plan.trials[0]?.config.fusion.options.rank).toBe(4);
  });

  test("the last of two overrides of a key wins and is what the cell says", async () => {
    const plan = await createBench().plan(SYNTHETIC, "fusion=lmam,sdt", "fusion=sdt");
    expect(cells(plan)).toEqual([{ dataset: "synthetic" }]);
    expect(plan.trials[0]?.config.fusion.name).toBe("sdt");
  });

  test("lists as values are one text in a cell", async () => {
    const plan = await createBench().plan(SYNTHETIC, "dataset.modalities=[text],[text,audio]");
    expect(cells(plan).map((cell) => (cell as Record<string, unknown>)["dataset.modalities"])).toEqual([
      "text",
      "text+audio",
    ]);
    expect(plan.datasets).toHaveLength(2);
    expect(cellValue([])).toBe("[]");
    expect(cellValue({ a: [1] })).toBe('{"a":[1]}');
  });

  test("a data set in matrix or base is refused: it would be ignored", async () => {
    const { plan, folder } = createBench();
    for (const where of ["matrix: { dataset: [meld] }", "when: [{ dataset: synthetic, set: { dataset: meld } }]"]) {
      expect(await errorOf(() => plan(`${SYNTHETIC}${where}`), folder)).toMatch(/data sets are not chosen here/);
    }
  });

  test("an unknown override names what there is, seeds and datasets too", async () => {
    const { plan } = createBench();
    expect(await errorOf(() => plan(SYNTHETIC, "seed=3"))).toMatch(/unknown group "seed".*Did you mean "seeds"\?/);
    expect(await errorOf(() => plan(SYNTHETIC, "optimiser.lr=3"))).toMatch(/Did you mean "optimizer"\?/);
  });

  test("seeds are interleaved, so that every configuration has one result early", async () => {
    const plan = await createBench().plan(`${lmam}seeds: 2`);
    expect(plan.trials.map(({ seed }) => seed)).toEqual([0, 0, 0, 1, 1, 1]);
    const cell = ({ cell: each }: (typeof plan.trials)[number]) => each;
    expect(plan.trials.slice(3).map(cell)).toEqual(plan.trials.slice(0, 3).map(cell));
  });

  test("interleaving keeps every trial, orders by seed, and configurations as they were", () => {
    const trial = fc.record({ seed: fc.nat(4), id: fc.string() });
    fc.assert(
      fc.property(fc.array(trial), (trials) => {
        const seeds = [...new Set(trials.map(({ seed }) => seed))].sort((a, b) => a - b);
        expect(interleaveSeeds(trials)).toEqual(seeds.flatMap((each) => trials.filter(({ seed }) => seed === each)));
      }),
    );
  });
});

describe("ids", () => {
  test("are the same whatever the order of keys, in the file or on the command line", async () => {
    const { plan } = createBench();
    const [first] = ids(await plan(SYNTHETIC, "optimizer.lr=0.01", "trainer.epochs=3"));
    expect(ids(await plan(SYNTHETIC, "trainer.epochs=3", "optimizer.lr=1e-2"))).toEqual([first]);
    const turned = SYNTHETIC.split("\n").slice(2).reverse().join("\n");
    expect(
      ids(await plan(`base:\n${turned}\n  trainer.epochs: 3\n  optimizer.lr: 0.01\ndatasets: [synthetic]`)),
    ).toEqual([first]);
  });

  test("are changed by any option of any part, by the seed and by the data", async () => {
    const { plan } = createBench();
    const changes = [
      [],
      ["encoder.dropout=0.25"],
      ["fusion=lmam"],
      ["fusion=lmam", "fusion.rank=3"],
      ["objective=self-distillation"],
      ["optimizer.lr=0.3"],
      ["optimizer.betas=[0.8,0.99]"],
      ["trainer.epochs=3"],
      ["engine=cpu"],
      ["seeds=[1]"],
      ["dataset.cue=0.7"],
    ];
    const all = await Promise.all(
      changes.map(async (overrides) => ids(await createBench().plan(SYNTHETIC, ...overrides))),
    );
    expect(new Set(all.flat()).size).toBe(changes.length);
    expect(ids(await plan(SYNTHETIC))).toEqual(all[0]);
  });

  test("do not depend on title, name or tables, nor on other cells", async () => {
    const { plan } = createBench();
    const [id] = ids(await plan(SYNTHETIC));
    expect(ids(await plan(`${SYNTHETIC}tables: [{ rows: fusion, metrics: [accuracy] }]`))).toEqual([id]);
    expect(ids(await plan(SYNTHETIC, "fusion=lmam,sdt", "seeds=3"))).toContain(id);
  });

  test("change with a label, a feature or a split of a folder", async () => {
    const data = createBench();
    const idOf = async (files: Record<string, string | Uint8Array>) => {
      write(join(data.folder, "mine"), files);
      return ids(await createBench({}, data.folder).plan(`datasets: [folder]${SMALL}  dataset.folder.path: mine`))[0];
    };
    const table = FOLDER["utterances.csv"];
    const all = [
      await idOf(FOLDER),
      await idOf({ "utterances.csv": table.replace("calm", "tense") }),
      await idOf({ "utterances.csv": table.replaceAll("valid", "test") }),
      await idOf({ ...FOLDER, "text.npy": npy([...FEATURES.slice(1), 0], 2) }),
    ];
    expect(new Set(all).size).toBe(4);
    expect(await idOf(FOLDER)).toBe(all[0]);
  });

  test("follow from the values alone", () => {
    const json = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(json, (options) => {
        const spec = (given: object) =>
          ({ config: { fusion: { name: "x", options: given } }, seed: 0, data: {} }) as unknown as Parameters<
            typeof trialId
          >[0];
        const turned = Object.fromEntries(Object.entries(options).reverse());
        expect(trialId(spec(turned))).toBe(trialId(spec(options)));
        expect(trialId(spec({ ...options, more: 1, "": "x" }))).toMatch(/^[0-9a-f]{12}$/);
      }),
    );
  });
});

test("what cannot be combined is refused with reason and place, before anything trains", async () => {
  const { plan, folder } = createBench({
    "configs/fusion/sdt.yaml": "with: { objective: self-distillation }",
  });
  expect(await errorOf(() => plan(SYNTHETIC, "fusion=lmam", "objective=self-distillation"), folder)).toBe(
    "combination | command line: objective=self-distillation | " +
      "objective self-distillation needs per-modality streams; fusion lmam gives none | " +
      "Choose another objective, e.g. objective=cross-entropy.",
  );
  expect(await errorOf(() => plan(`${SYNTHETIC}  objective: self-distillation\n  fusion: lmam`), folder)).toMatch(
    /^combination \| DIR\/study.yaml:8 \|/,
  );
  expect(await errorOf(() => plan(SYNTHETIC, "fusion=sdt,lmam", "fusion.lmam.rank=2,9"), folder)).toMatch(
    /^combination \| DIR\/study.yaml \(dataset synthetic, fusion lmam, fusion.lmam.rank 9\) \| lmam: rank 9 is above/,
  );
});

test("a data set that cannot be loaded stops the plan", async () => {
  const data = createBench();
  write(join(data.folder, "mine"), { ...FOLDER, "text.npy": "no npy" });
  const { plan } = createBench({}, data.folder);
  expect(await errorOf(() => plan(`datasets: [folder]${SMALL}  dataset.folder.path: mine`), data.folder)).toMatch(
    /^data \| .*DIR\/mine\/text.npy/,
  );
});
