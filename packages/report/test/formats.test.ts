import { DEFAULT_TABLE, tableSpec } from "@merclab/runner";
import { parse } from "csv-parse/sync";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { textWidth } from "../src/formats/text-layout.ts";
import { compileTable, formatTable, formatTerminal, type Planned, TABLE_FORMATS, type Table } from "../src/index.ts";
import { createResult, createSpec, createStudy } from "./support.ts";

const ENDINGS = { terminal: "txt", md: "md", latex: "tex", csv: "csv", json: "json", html: "html" } as const;
const ORDER = { order: { fusion: ["sdt", "lmam"] } };

/** One failed trial, one model not run on meld. */
function unfinishedStudy(): Planned[] {
  const failed = { state: "failed", attempt: 1, pid: 1, startedAt: "", error: "loss became NaN at epoch 3" } as const;
  return createStudy().map(({ spec, result }, index) => {
    if (index === 4) {
      return { spec, status: failed };
    }
    return index > 14 ? { spec } : { spec, result };
  });
}

/** Names with every character that some format reads as markup. */
function awkwardTable(): Table {
  const dataset = '50%_of {a}&b #1 $x^2~ \\cmd <i>"q"</i> [c] |d| *e* `f`, --g';
  const trials = [1, 2].map((seed): Planned => {
    const spec = createSpec({ dataset, fusion: "sdt" }, { seed, title: "A & B | 100%" });
    return { spec, result: createResult(spec, { valid: { accuracy: 0.5 + seed / 100 } }) };
  });
  return compileTable(tableSpec.parse({ rows: "dataset", metrics: ["accuracy"], details: [] }), trials);
}

/** On iemocap a winner; on meld one that is behind and one that is as good as the best within 0.5 points. */
function comparedTable(): Table {
  const noise = [0.3, -0.2, 0.1, -0.3, 0.1];
  const means: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    iemocap: { sdt: 70, lmam: 73, concat: 66 },
    meld: { sdt: 65.1, lmam: 65, concat: 62 },
  };
  const trials = Object.entries(means).flatMap(([dataset, byFusion]) =>
    Object.entries(byFusion).flatMap(([fusion, mean], model) =>
      noise.map((_, place): Planned => {
        const spec = createSpec({ dataset, fusion }, { seed: place + 1 });
        const f1 = (mean + (noise[(place + 2 * model) % 5] ?? 0) / 2) / 100;
        return { spec, result: createResult(spec, { valid: { "weighted-f1": f1 } }) };
      }),
    ),
  );
  const spec = tableSpec.parse({
    rows: "fusion",
    metrics: ["weighted-f1"],
    show: ["valid-selected"],
    details: ["n"],
    spread: "interval",
    compare: { margin: { "weighted-f1": 0.8 } },
  });
  return compileTable(spec, trials);
}

/** With numbers of others, rows of theirs, and names as a paper has them. */
function publishedTable(): Table {
  const spec = tableSpec.parse({
    rows: "fusion",
    columns: "dataset",
    only: { dataset: "iemocap" },
    metrics: ["weighted-f1", "accuracy"],
    show: ["valid-selected", "max-test"],
    labels: { fusion: { sdt: "SDT & gates" } },
    published: {
      source: "Author et al., A_Model (100 % of it), Table 2",
      features: { iemocap: { text: 1024 } },
      values: [
        { at: { fusion: "MM-DFN", dataset: "iemocap" }, "weighted-f1": 69.91, accuracy: 69.87 },
        { at: { fusion: "sdt", dataset: "iemocap" }, "weighted-f1": 74.08, note: "read from a figure" },
      ],
    },
  });
  return compileTable(spec, createStudy(), ORDER);
}

const TABLES: Readonly<Record<string, () => Table>> = {
  published: publishedTable,
  lines: () => compileTable(DEFAULT_TABLE, createStudy({ source: "synthetic" }), ORDER),
  unfinished: () => compileTable(tableSpec.parse({ rows: "fusion" }), unfinishedStudy(), ORDER),
  narrow: () =>
    compileTable(tableSpec.parse({ rows: "fusion", show: ["valid-selected"], details: [] }), unfinishedStudy(), ORDER),
  empty: () => compileTable(DEFAULT_TABLE, [], { experiment: "sdt-vs-lmam" }),
  awkward: awkwardTable,
  compared: comparedTable,
};

describe("the width of a text", () => {
  it("is what string-width says, for what is measured without it as well", () => {
    const characters = Array.from({ length: 0x2300 }, (_, code) => `x${String.fromCharCode(code)}`);
    const texts = ["", "74.08 ± 0.51 [≈,a]", "naïve", "情感", "a\tb", "\u001b[1mbold\u001b[0m", "e\u0301", "👍🏽"];
    expect([...characters, ...texts].filter((text) => textWidth(text) !== stringWidth(text))).toStrictEqual([]);
  });
});

describe("golden files", () => {
  for (const [name, table] of Object.entries(TABLES)) {
    it.each(TABLE_FORMATS)(`${name} as %s`, async (format) => {
      const text = formatTable(table(), format);
      expect(text.endsWith("\n")).toBe(true);
      await expect(text).toMatchFileSnapshot(`fixtures/${name}.golden.${ENDINGS[format]}`);
    });
  }
});

describe("terminal", () => {
  it.each(Object.keys(TABLES))("keeps %s within 100 columns, without colour", (name) => {
    const lines = formatTable(TABLES[name]?.() ?? awkwardTable(), "terminal").split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.join("")).not.toContain("\u001b");
  });

  it("prints one panel where there is room", () => {
    const text = formatTerminal(TABLES.lines?.() ?? awkwardTable(), 160);
    expect(text.match(/^dataset/gm)).toHaveLength(1);
    expect(formatTerminal(TABLES.lines?.() ?? awkwardTable(), 100).match(/^dataset/gm)).toHaveLength(2);
  });

  it("breaks labels that are too long, and keeps every character", () => {
    const fusion = `a-very-${"long-".repeat(30)}name`;
    const spec = createSpec({ fusion });
    const table = compileTable(tableSpec.parse({ rows: "fusion" }), [{ spec, result: createResult(spec) }]);
    const lines = formatTerminal(table).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    const letters = lines.map((line) => line.slice(0, 50).split(" ")[0]).join("");
    expect(letters).toContain(fusion);
  });

  it("aligns labels that are wide in a terminal", () => {
    const trials = ["语料库", "meld"].map((dataset): Planned => {
      const spec = createSpec({ dataset });
      return { spec, result: createResult(spec) };
    });
    const lines = formatTerminal(compileTable(DEFAULT_TABLE, trials)).split("\n");
    // Three characters that take two columns each.
    expect(lines.find((line) => line.startsWith("语料库"))?.indexOf("sdt")).toBe(9 - 3);
    expect(lines.find((line) => line.startsWith("meld"))?.indexOf("sdt")).toBe(9);
  });
});

describe("markdown", () => {
  it.each(Object.keys(TABLES))("has as many cells in every line of %s", (name) => {
    const lines = formatTable(TABLES[name]?.() ?? awkwardTable(), "md").split("\n");
    const bars = lines.filter((line) => line.startsWith("|")).map((line) => line.match(/(?<!\\)\|/g)?.length);
    expect(new Set(bars).size).toBe(name === "empty" ? 0 : 1);
  });

  it("lets no name become markup", () => {
    const text = formatTable(awkwardTable(), "md");
    expect(text).toContain("\\[c\\] \\|d\\| \\*e\\* \\`f\\`, --g");
    expect(text).toContain("&lt;i&gt;");
  });
});

describe("csv", () => {
  it("ends lines with CRLF and quotes what needs it", () => {
    const text = formatTable(awkwardTable(), "csv");
    expect(text.split("\r\n")).toHaveLength(5);
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
    expect(text).toContain('""q""');
  });

  it("has one line per row, column and score, with raw numbers", () => {
    const records = parse(formatTable(TABLES.unfinished?.() ?? awkwardTable(), "csv"), { columns: true }) as Record<
      string,
      string
    >[];
    expect(records).toHaveLength(3 * 2 * (2 * 3 + 2));
    expect(records[0]).toMatchObject({
      fusion: "sdt",
      dataset: "iemocap",
      score: "weighted-f1",
      mean: "0.729",
      n: "3",
    });
    const missing = records.find((record) => record.state === "missing");
    expect(missing).toMatchObject({ mean: "", n: "0", planned: "3", command: "exp run sdt-vs-lmam" });
  });
});

describe("json", () => {
  it("is the whole table", () => {
    const table = TABLES.unfinished?.() ?? awkwardTable();
    expect(JSON.parse(formatTable(table, "json"))).toStrictEqual(JSON.parse(JSON.stringify(table)));
  });
});

describe("numbers", () => {
  const print = (metric: "accuracy" | "nll" | "pearson-r", valid: number, best: number) => {
    const task = metric === "pearson-r" ? { task: { type: "regression" as const, range: [-3, 3] as const } } : {};
    const spec = createSpec({ fusion: "sdt" }, task);
    const result = createResult(spec, { valid: { [metric]: valid }, best: { [metric]: best } });
    const table = compileTable(tableSpec.parse({ columns: [], rows: "fusion", metrics: [metric], details: [] }), [
      { spec, result },
    ]);
    return formatTable(table, "md")
      .split("\n")[4]
      ?.split("|")
      .slice(2, 5)
      .map((text) => text.trim());
  };

  it("prints shares as per cent, other metrics in their unit", () => {
    expect(print("accuracy", 0.7408, 0.76)).toStrictEqual(["74.08", "76.00", "+1.92"]);
    expect(print("nll", 1.23456, 1.1)).toStrictEqual(["1.235", "1.100", "+0.135"]);
    expect(print("pearson-r", -0.5, 0.25)).toStrictEqual(["-0.500", "0.250", "+0.750"]);
  });

  it("prints floating-point operations in millions an utterance, where they are known", () => {
    const flops = { products: 1_234_567, elementwise: 89 };
    const costs = [{ utterance: flops, batch: flops }, { unknown: "it reads values" }, undefined];
    const cells = costs.map((cost) => {
      const spec = createSpec({ fusion: "sdt" });
      const result = { ...createResult(spec), ...(cost === undefined ? {} : { cost }) };
      const wanted = {
        columns: [],
        rows: "fusion",
        metrics: ["accuracy"],
        show: ["valid-selected"],
        details: ["flops"],
      };
      const table = compileTable(tableSpec.parse(wanted), [{ spec, result }]);
      const [, , head, , row] = formatTable(table, "md").split("\n");
      return [head, row].map((line) => line?.split("|").at(-2)?.trim());
    });
    const head = "MFLOP<br>(an utterance)";
    expect(cells).toStrictEqual([
      [head, "1.235"],
      [head, "n/a"],
      [head, "n/a"],
    ]);
  });

  it("has no minus zero", () => {
    expect(print("accuracy", 0.500001, 0.5)).toStrictEqual(["50.00", "50.00", "0.00"]);
  });
});
