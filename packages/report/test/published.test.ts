// Published numbers beside ours: each in its cell, never a guess, and what was different is told.
import { type TableSpecInput, tableSpec } from "@merclab/runner";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { compileTable, formatTable, type Planned, TABLE_FORMATS, type Table } from "../src/index.ts";
import { createResult, createSpec } from "./support.ts";

const SPEC: TableSpecInput = {
  rows: "fusion",
  columns: "dataset",
  metrics: ["weighted-f1", "nll"],
  show: ["valid-selected"],
  details: [],
  labels: { fusion: { sdt: "SDT (ours)" } },
  published: {
    source: "a paper, Table 2",
    selection: "test",
    features: { iemocap: { text: 1024, audio: 1582 } },
    lacking: "the other tables could not be read",
    values: [
      { at: { fusion: "MM-DFN", dataset: "iemocap" }, "weighted-f1": 69.91 },
      { at: { fusion: "sdt", dataset: "iemocap" }, "weighted-f1": 74.08, nll: 1.25 },
      { at: { fusion: "sdt", dataset: "meld" }, "weighted-f1": 66.6, source: "another paper", note: "a slip" },
    ],
  },
};

function trials(features?: Readonly<Record<string, number>>): Planned[] {
  return ["sdt", "lmam"].flatMap((fusion) =>
    [0, 1].map((seed): Planned => {
      const bare = createSpec({ dataset: "iemocap", fusion }, { seed });
      const spec = features === undefined ? bare : { ...bare, features };
      return { spec, result: createResult(spec, { valid: { "weighted-f1": 0.7 + seed / 100, nll: 1 } }) };
    }),
  );
}

const compile = (planned: readonly Planned[] = trials(), spec: TableSpecInput = SPEC) =>
  compileTable(tableSpec.parse(spec), planned);

/** State and mean by row, data set, metric and kind. */
function cellAt(table: Table, row: string, dataset: string, kind: string, metric = "weighted-f1") {
  const index = table.rows.findIndex(({ axes }) => axes.fusion === row);
  const place = table.columns.findIndex(
    (column) => column.axes.dataset === dataset && column.kind === kind && column.metric === metric,
  );
  return table.cells[index]?.[place];
}

describe("published numbers", () => {
  it("stand in the unit of the column, with the difference of the result", () => {
    const table = compile();
    expect(cellAt(table, "sdt", "iemocap", "published")?.mean).toBeCloseTo(0.7408, 12);
    expect(cellAt(table, "sdt", "iemocap", "difference")?.mean).toBeCloseTo(0.705 - 0.7408, 12);
    expect(cellAt(table, "sdt", "iemocap", "published", "nll")?.mean).toBe(1.25);
    expect(cellAt(table, "sdt", "iemocap", "difference", "nll")?.mean).toBe(-0.25);
    expect(cellAt(table, "sdt", "iemocap", "published")).toMatchObject({ trials: [], source: "a paper, Table 2" });
    expect(cellAt(table, "sdt", "iemocap", "published")).not.toHaveProperty("sd");
  });

  it("are n/a where none is known, with the reason", () => {
    const table = compile();
    expect(cellAt(table, "lmam", "iemocap", "published")?.state).toBe("not-published");
    expect(cellAt(table, "lmam", "iemocap", "published")).not.toHaveProperty("mean");
    expect(cellAt(table, "MM-DFN", "iemocap", "published", "nll")?.state).toBe("not-published");
    expect(formatTable(table, "terminal")).toMatch(/lmam .* n\/a/);
    expect(table.notes.map(({ text }) => text)).toContain(
      "n/a among the published: the other tables could not be read.",
    );
  });

  it("get rows and columns of their own where nothing is planned, in their order", () => {
    const table = compile();
    expect(table.rows.map(({ labels }) => labels)).toStrictEqual([["MM-DFN"], ["SDT (ours)"], ["lmam"]]);
    expect([...new Set(table.columns.map(({ groupLabel }) => groupLabel))]).toStrictEqual(["iemocap", "meld"]);
    expect(cellAt(table, "MM-DFN", "iemocap", "valid-selected")?.state).toBe("not-planned");
    expect(cellAt(table, "MM-DFN", "iemocap", "difference")?.state).toBe("not-planned");
    expect(cellAt(table, "sdt", "meld", "published")).toMatchObject({ source: "another paper" });
  });

  it("say what was different: features, protocol, source, and what their author must know", () => {
    const texts = (table: Table) => table.notes.map(({ text }) => text).join("\n");
    expect(texts(compile(trials({ text: 100, audio: 11 })))).toContain(
      "other features: published with text 1024 + audio 1582, ours text 100 + audio 11",
    );
    expect(texts(compile(trials({ text: 1024, audio: 1582 })))).not.toContain("features");
    expect(texts(compile(trials({ text: 1024 })))).not.toContain("features"); // a subset of the modalities
    expect(texts(compile())).toContain("the widths of ours were not stored");
    expect(texts(compile())).toContain("Published: a paper, Table 2. Their epoch was chosen on the test part");
    expect(texts(compile())).toContain("published: another paper");
    expect(texts(compile())).toContain("a slip");
  });

  it("are never compared, averaged or marked as ours", () => {
    const { published: _, ...bare } = SPEC;
    const ours = (table: Table) =>
      table.cells.flat().filter((cell, i) => cell.comparison !== undefined && i >= 0).length;
    expect(ours(compile())).toBe(ours(compile(trials(), bare)));
    const table = compile();
    expect(cellAt(table, "sdt", "iemocap", "published")?.comparison).toBeUndefined();
    expect(cellAt(table, "sdt", "iemocap", "valid-selected")?.n).toBe(2);
  });

  it("are in every format", () => {
    const table = compile();
    for (const format of TABLE_FORMATS.filter((each) => each !== "csv" && each !== "json")) {
      expect(formatTable(table, format), format).toContain("74.08");
      expect(formatTable(table, format), format).toContain("3.58");
    }
    const lines = parse(formatTable(table, "csv"), { columns: true }) as Record<string, string>[];
    const published = lines.filter(({ column, mean }) => column === "published" && mean !== "");
    expect(published.map(({ mean }) => Number(mean))).toStrictEqual([0.6991, 0.7408, 1.25, 0.666]);
    expect(published.every(({ source }) => source !== "")).toBe(true);
  });

  it("make a table where nothing was planned at all", () => {
    const table = compile(trials(), { ...SPEC, only: { dataset: "meld" } });
    expect(table.rows).toHaveLength(2);
    expect(table.notes.map(({ text }) => text)).toContain(
      'The plan of EXPERIMENT has no trial of this part ({"dataset":["meld"]}).',
    );
    expect(cellAt(table, "sdt", "iemocap", "published")?.mean).toBeCloseTo(0.7408, 12);
  });

  it("are refused without a source, without a number, or at what is no axis of the table", () => {
    const values = [{ at: { fusion: "sdt" }, accuracy: 1 }];
    expect(() => tableSpec.parse({ published: { values } })).toThrow(/source/);
    expect(() => tableSpec.parse({ published: { source: "x", values: [{ at: { fusion: "sdt" } }] } })).toThrow(
      /number/,
    );
    const stray = { source: "x", values: [{ at: { fusion: "x", encoder: "y" }, "weighted-f1": 1 }] };
    expect(() => compile(trials(), { ...SPEC, published: stray })).toThrow(/encoder.*no axis/);
  });
});

describe("a part of a study", () => {
  it("is what `only` names, on every axis", () => {
    const study = ["iemocap", "meld"].flatMap((dataset) =>
      ["sdt", "lmam", "concat"].map((fusion): Planned => {
        const spec = createSpec({ dataset, fusion }, {});
        return { spec, result: createResult(spec) };
      }),
    );
    const { published: _, ...bare } = SPEC;
    const table = compile(study, { ...bare, only: { dataset: "meld", fusion: ["sdt", "concat"] } });
    expect(table.rows.map(({ axes }) => axes.fusion)).toStrictEqual(["concat", "sdt"]);
    expect([...new Set(table.columns.map(({ axes }) => axes.dataset))]).toStrictEqual(["meld"]);
  });
});
