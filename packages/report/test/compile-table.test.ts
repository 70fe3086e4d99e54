import { MerclabError } from "@merclab/core";
import { DEFAULT_TABLE, type TableSpecInput, tableSpec } from "@merclab/runner";
import { describe, expect, it } from "vitest";
import { type CompileOptions, compileTable, type Planned, type Table } from "../src/index.ts";
import { createResult, createSpec, createStudy, type ResultOptions, type TrialOptions } from "./support.ts";

const ORDER: CompileOptions = { order: { fusion: ["sdt", "lmam"] } };

function compile(trials: readonly Planned[], spec?: TableSpecInput, options: CompileOptions = ORDER): Table {
  return compileTable(spec === undefined ? DEFAULT_TABLE : tableSpec.parse(spec), trials, options);
}

function done(cell: Parameters<typeof createSpec>[0], options: TrialOptions = {}, result: ResultOptions = {}): Planned {
  const spec = createSpec(cell, options);
  return { spec, result: createResult(spec, result) };
}

const labels = (table: Table) => table.rows.map((row) => row.labels);
const texts = (table: Table) => table.notes.map((note) => note.text);
const cellOf = (table: Table, row: number, kind: string, metric?: string) => {
  const index = table.columns.findIndex((column) => column.kind === kind && column.metric === metric);
  return table.cells[row]?.[index];
};

describe("compileTable without a declared table", () => {
  it("has a line per dataset and model, with readable options", () => {
    const table = compile(createStudy());
    expect(table.rowHeads).toStrictEqual(["dataset", "fusion"]);
    expect(labels(table)).toStrictEqual([
      ["iemocap", "sdt"],
      ["iemocap", "lmam (rank 4)"],
      ["iemocap", "lmam (rank 16)"],
      ["meld", "sdt"],
      ["meld", "lmam (rank 4)"],
      ["meld", "lmam (rank 16)"],
    ]);
    expect(table.columns.map(({ kind, metric }) => [metric, kind].join(" "))).toStrictEqual([
      " n",
      "weighted-f1 valid-selected",
      "weighted-f1 max-test",
      "weighted-f1 optimism",
      "accuracy valid-selected",
      "accuracy max-test",
      "accuracy optimism",
      " parameters",
      " seconds",
    ]);
    expect(table.notes.map(({ mark }) => mark)).toStrictEqual(["≈"]);
  });

  it("averages seeds; worked by hand", () => {
    const trials = [
      done({ fusion: "sdt" }, { seed: 1 }, { valid: { accuracy: 0.5 }, best: { accuracy: 0.6 }, seconds: 10 }),
      done({ fusion: "sdt" }, { seed: 2 }, { valid: { accuracy: 0.7 }, best: { accuracy: 0.7 }, seconds: 20 }),
    ];
    const table = compile(trials, { rows: "fusion", metrics: ["accuracy"] });
    const selected = cellOf(table, 0, "valid-selected", "accuracy");
    expect(selected?.mean).toBeCloseTo(0.6, 14);
    expect(selected?.sd).toBeCloseTo(Math.sqrt(0.02), 14);
    expect(selected).toMatchObject({ state: "filled", n: 2, min: 0.5, max: 0.7, trials: ["sdt-seed1", "sdt-seed2"] });
    expect(cellOf(table, 0, "max-test", "accuracy")?.mean).toBeCloseTo(0.65, 14);
    const optimism = cellOf(table, 0, "optimism", "accuracy");
    expect(optimism?.mean).toBeCloseTo(0.05, 14); // mean of 0.1 and 0
    expect(optimism?.sd).toBeCloseTo(Math.sqrt(0.005), 14);
    expect(cellOf(table, 0, "seconds")).toMatchObject({ mean: 15, n: 2 });
    expect(cellOf(table, 0, "parameters")).toMatchObject({ mean: 1_000_000 });
    expect(selected?.configs).toHaveLength(1);
  });

  it("sorts options by size and plans by name where no order is given", () => {
    const table = compile(createStudy(), { columns: [], rows: "fusion" }, {});
    expect(labels(table).map((each) => each[0])).toStrictEqual([
      "lmam (rank 4)",
      "lmam (rank 4)",
      "lmam (rank 16)",
      "lmam (rank 16)",
      "sdt",
      "sdt",
    ]);
  });
});

describe("rows and columns", () => {
  it("makes a group of columns per dataset", () => {
    const table = compile(createStudy(), {
      rows: "fusion",
      metrics: ["accuracy"],
      show: ["valid-selected"],
      details: [],
    });
    expect(table.columns.map((column) => column.groupLabel)).toStrictEqual(["iemocap", "meld"]);
    expect(labels(table)).toStrictEqual([["sdt"], ["lmam (rank 4)"], ["lmam (rank 16)"]]);
    expect(table.caption).toContain("over 3 seeds");
  });

  it("never averages an axis that was not named", () => {
    const trials = ["concat", "sdt"].flatMap((fusion) =>
      [0.01, 0.001].map((lr) => done({ fusion, "optimizer.lr": lr }, { id: `${fusion}-${lr}` })),
    );
    const table = compile(trials, { rows: "fusion" }, {});
    expect(table.rowHeads).toStrictEqual(["fusion", "optimizer.lr"]);
    expect(labels(table)).toStrictEqual([
      ["concat", "0.001"],
      ["concat", "0.01"],
      ["sdt", "0.001"],
      ["sdt", "0.01"],
    ]);
    expect(texts(table)).toContain("Split by optimizer.lr as well: only seeds are averaged.");
  });

  it("splits by a part of the config that varies without being an axis", () => {
    const trials = [done({ dataset: "iemocap" }), done({ dataset: "meld" })].map(({ spec, result }) => ({
      spec: { ...spec, cell: {} },
      result,
    }));
    expect(labels(compile(trials, { rows: "fusion", columns: "encoder" }))).toStrictEqual([
      ["sdt", "iemocap"],
      ["sdt", "meld"],
    ]);
  });

  it("does not split by a part of the config that follows from the rows", () => {
    const withObjective = (fusion: string, name: string) => {
      const spec = createSpec({ dataset: "iemocap", fusion });
      return { spec: { ...spec, config: { ...spec.config, objective: { name, options: {} } } } };
    };
    const table = compile([withObjective("sdt", "self-distillation"), withObjective("lmam", "cross-entropy")]);
    expect(table.rowHeads).toEqual(["dataset", "fusion"]);
    expect(table.rows).toHaveLength(2);
    const mixed = compile(
      [withObjective("sdt", "self-distillation"), withObjective("sdt", "cross-entropy")].map((each, i) => ({
        spec: { ...each.spec, id: `trial-${i}` },
      })),
    );
    expect(mixed.rowHeads).toEqual(["dataset", "fusion", "objective"]);
  });

  it("puts an option of the columns' axis beside it", () => {
    const trials = ["old", "new"].map((features) => done({ dataset: "meld", "dataset.features": features }, {}));
    const table = compile(trials, { rows: "fusion", show: ["valid-selected"], metrics: ["accuracy"], details: [] });
    expect(table.columns.map((column) => column.groupLabel)).toStrictEqual([
      "meld (features new)",
      "meld (features old)",
    ]);
  });

  it("takes three axes, and leaves empty what the plan does not contain", () => {
    const trials = [
      done({ dataset: "iemocap", fusion: "sdt", encoder: "sdt" }),
      done({ dataset: "iemocap", fusion: "lmam", encoder: "linear" }),
      done({ dataset: "meld", fusion: "sdt", encoder: "sdt" }),
    ];
    const table = compile(trials, { rows: ["fusion", "encoder"], columns: "dataset" });
    expect(labels(table)).toStrictEqual([
      ["sdt", "sdt"],
      ["lmam", "linear"],
    ]);
    expect(table.cells[1]?.map((cell) => cell.state).includes("not-planned")).toBe(true);
    expect(texts(table)).toContain("Empty: not in the plan.");
  });

  it("reads an axis from the config where the plan does not name it", () => {
    const trials = [done({ fusion: "lmam", "fusion.lmam.rank": 16 })].map(({ spec, result }) => ({
      spec: { ...spec, cell: {} },
      result,
    }));
    expect(labels(compile(trials, { rows: ["fusion", "fusion.lmam.rank", "optimizer.lr"] }))).toStrictEqual([
      ["lmam (rank 16)", "0.001"],
    ]);
  });

  it("leaves out an axis without values, and says so", () => {
    const table = compile([done({ fusion: "sdt" })], { rows: ["fusion", "fusion.lmam.rank"] });
    expect(labels(table)).toStrictEqual([["sdt"]]);
    expect(texts(table)).toContain("No trial has a value for fusion.lmam.rank: left out.");
  });

  it("refuses an axis that no trial can have, and names the nearest", () => {
    const run = () => compile(createStudy(), { rows: "fusoin" });
    expect(run).toThrow(MerclabError);
    expect(run).toThrow(expect.objectContaining({ hint: expect.stringContaining('"fusion"') }));
  });

  it("refuses a trial that is given twice, which would count as a seed", () => {
    const trial = done({ fusion: "sdt" });
    expect(() => compile([trial, trial])).toThrow(/given twice/);
  });
});

describe("what is missing", () => {
  it("names trials without a result and the command that computes them", () => {
    const trials = createStudy().map((trial, index) => (index === 1 ? { spec: trial.spec } : trial));
    const table = compile(trials, undefined, { ...ORDER, command: (specs) => `exp run x # ${specs.length}` });
    const cell = cellOf(table, 0, "valid-selected", "accuracy");
    expect(cell).toMatchObject({
      n: 2,
      missing: { wanted: 3, have: 2, trials: ["iemocap-sdt-seed2"], command: "exp run x # 1" },
      notes: ["a"],
    });
    expect(table.notes.slice(1)).toStrictEqual([
      { mark: "a", text: "fewer seeds than planned: 2 of 3; to compute: exp run x # 1" },
    ]);
  });

  it("tells a failed trial from one that has not run", () => {
    const spec = createSpec({ fusion: "sdt" });
    const status = { state: "failed", attempt: 2, pid: 1, startedAt: "", error: "loss became NaN" } as const;
    const table = compile([{ spec, status }], { rows: "fusion" });
    expect(cellOf(table, 0, "valid-selected", "accuracy")?.state).toBe("missing");
    expect(texts(table)).toStrictEqual(["no result yet; 1 failed (loss became NaN); to compute: exp run sdt-vs-lmam"]);
  });

  it("warns of a bootstrap over few seeds, whose interval is narrower than Student's", () => {
    const width = (spread: "interval" | "bootstrap") => {
      const { cells, notes } = compileTable(tableSpec.parse({ rows: "fusion", spread }), createStudy());
      const { low = 0, high = 0 } = cells[0]?.[1]?.interval ?? {};
      return { width: high - low, isWarned: notes.some(({ text }) => text.includes("too narrow")) };
    };
    expect(width("bootstrap").width).toBeLessThan(width("interval").width);
    expect([width("bootstrap").isWarned, width("interval").isWarned]).toStrictEqual([true, false]);
  });

  it("names what rows on the same data differ in without showing it: protocol, recipe, engine", () => {
    const trials = [
      ...[1, 2].map((seed) => createSpec({ fusion: "sdt" }, { seed })),
      ...[1, 2].map((seed) => createSpec({ fusion: "lmam" }, { seed, engine: "cpu", trainer: { epochs: 40 } })),
    ].map((spec): Planned => ({ spec, result: createResult(spec) }));
    expect(texts(compile(trials))).toContain(
      'Rows on iemocap differ in protocol or recipe: engine "cpu", "wasm"; trainer.epochs 10, 40.',
    );
    const shown = [0.1, 0.2].map((lr) => createSpec({ fusion: "sdt", "optimizer.lr": lr }, { id: `lr${lr}` }));
    const plain = compile(shown.map((spec): Planned => ({ spec, result: createResult(spec) })));
    expect(texts(plain).join()).not.toContain("protocol");
  });

  it("says which command to run when there are no trials at all", () => {
    const table = compile([], { rows: "fusion" }, { experiment: "sdt-vs-lmam" });
    expect(table).toMatchObject({ title: "sdt-vs-lmam", rows: [], cells: [] });
    expect(texts(table)).toStrictEqual(["No trials yet; to plan and compute them: exp run sdt-vs-lmam"]);
  });

  it("has no spread for one seed, and says so", () => {
    const table = compile([done({ fusion: "sdt" })]);
    expect(cellOf(table, 0, "valid-selected", "accuracy")).not.toHaveProperty("sd");
    expect(table.caption).toContain("one seed, which tells no spread");
  });

  it("does not hide NaN in a mean", () => {
    const metrics = { "weighted-f1": Number.NaN, accuracy: 0.5 };
    const stored = JSON.parse(JSON.stringify(metrics)) as typeof metrics; // null, as read from result.json
    for (const valid of [metrics, stored]) {
      const table = compile([done({ fusion: "sdt" }, { seed: 1 }), done({ fusion: "sdt" }, { seed: 2 }, { valid })]);
      expect(cellOf(table, 0, "valid-selected", "weighted-f1")).toMatchObject({ state: "not-a-number", n: 0 });
      expect(cellOf(table, 0, "valid-selected", "accuracy")).toMatchObject({ state: "filled", n: 2 });
      expect(texts(table)).toStrictEqual(["Weighted F1 is no finite number for seed 2 (1 of 2 trials)"]);
    }
  });

  it("says where a metric was not scored", () => {
    const table = compile([done({ fusion: "sdt" })], { rows: "fusion", metrics: ["nll"] });
    expect(cellOf(table, 0, "valid-selected", "nll")?.state).toBe("not-scored");
    expect(texts(table)).toStrictEqual(["NLL was not scored here"]);
  });
});

describe("conditions", () => {
  it("says in the caption that synthetic data says nothing", () => {
    const all = compile(createStudy({ source: "synthetic" }));
    expect(all.caption).toContain("Synthetic data: these numbers say nothing about any real corpus.");
    expect(all.cells.flat().every((cell) => cell.data === "synthetic")).toBe(true);
    expect(compile(createStudy()).caption).not.toMatch(/synthetic/i);
  });

  it("marks the synthetic lines where others are real", () => {
    const table = compile([done({ dataset: "iemocap" }), done({ dataset: "synthetic" }, { source: "synthetic" })]);
    expect(table.caption).toContain("Partly synthetic data");
    expect(table.notes).toStrictEqual([{ mark: "a", text: "synthetic data" }]);
    expect(cellOf(table, 0, "valid-selected", "accuracy")?.notes).toStrictEqual([]);
    expect(cellOf(table, 1, "valid-selected", "accuracy")?.notes).toStrictEqual(["a"]);
  });

  it.each<[string, TrialOptions, ResultOptions, string]>([
    ["data", { fingerprint: "other" }, {}, "different data or features in one cell: data-iemocap, other"],
    ["engines", { engine: "ort" }, {}, "different engines in one cell: ort, wasm"],
    ["configs", { trainer: { epochs: 3 } }, {}, "different configs in one cell: trainer.options.epochs"],
    [
      "versions",
      {},
      { versions: { merclab: "0.2.0" } },
      "Trials ran with different versions of merclab: 0.1.0, 0.2.0.",
    ],
  ])("notes different %s", (_what, options, result, text) => {
    const table = compile(
      [
        done({ fusion: "sdt" }, { seed: 1, id: "a" }),
        done({ fusion: "sdt" }, { seed: 2, id: "b", ...options }, result),
      ],
      { rows: "fusion" },
    );
    expect(texts(table)).toContain(text);
  });

  it("notes lines on other data than their neighbours, and fewer seeds planned", () => {
    const table = compile([
      done({ fusion: "sdt" }, { seed: 1 }),
      done({ fusion: "sdt" }, { seed: 2 }),
      done({ fusion: "lmam" }, { seed: 1, fingerprint: "other" }),
    ]);
    expect(texts(table)).toStrictEqual([
      "fewer seeds planned than elsewhere in this table: 1 of 2",
      "Rows differ in the data or features of iemocap: data-iemocap, other.",
    ]);
  });
});
