// Every format says the same of every cell: value, spread and marks, read back from what is printed.
import { tableSpec } from "@merclab/runner";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { compileTable, formatTable, formatTerminal, type Planned, type Table } from "../src/index.ts";
import { createResult, createSpec, createStudy } from "./support.ts";

const TABLES: Readonly<Record<string, Table>> = {
  plain: compileTable(tableSpec.parse({ columns: [] }), createStudy()),
  wide: compileTable(tableSpec.parse({ rows: "fusion", spread: "interval" }), createStudy()),
  published: compileTable(
    tableSpec.parse({
      rows: "fusion",
      metrics: ["weighted-f1"],
      published: { source: "x", values: [{ at: { fusion: "MM-DFN", dataset: "meld" }, "weighted-f1": 64.04 }] },
    }),
    createStudy(),
  ),
  unfinished: compileTable(tableSpec.parse({ rows: "fusion", metrics: ["accuracy"] }), [
    ...createStudy().slice(0, 7),
    ...createStudy()
      .slice(7)
      .map(({ spec }): Planned => ({ spec })),
  ]),
  signs: compileTable(
    tableSpec.parse({ rows: "fusion", metrics: ["nll"], details: [] }),
    ["sdt", "lmam"].map((fusion, i): Planned => {
      const spec = createSpec({ fusion });
      return { spec, result: createResult(spec, { valid: { nll: 1 + i }, best: { nll: 1.5 } }) };
    }),
  ),
};

/** Rows of cells as text, "74.08 ± 0.51 a,b": labels left out. */
type Grid = string[][];

const plain = (text: string) => text.replace(/\s+/g, " ").trim();

function fromHtml(table: Table): Grid {
  const body = formatTable(table, "html").match(/<tbody>([\s\S]*)<\/tbody>/)?.[1] ?? "";
  return [...body.matchAll(/<tr>(.*)<\/tr>/g)].map(([, line = ""]) =>
    [...line.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell = ""]) =>
      plain(cell.replace(/<sup>(.*?)<\/sup>/, " $1").replace(/<\/?strong>/g, "")),
    ),
  );
}

function fromMarkdown(table: Table): Grid {
  const lines = formatTable(table, "md")
    .split("\n")
    .filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1 + table.rowHeads.length, -1)
      .map((cell) => plain(cell.replace(/<sup>(.*?)<\/sup>/, "$1").replace(/\*\*/g, ""))),
  );
}

function fromLatex(table: Table): Grid {
  const body = formatTable(table, "latex").split("\\midrule")[1]?.split("\\bottomrule")[0] ?? "";
  return body
    .split("\\\\\n")
    .map((line) => line.replace("\\addlinespace", "").split(" & "))
    .filter((cells) => cells.length > 1)
    .map((cells) =>
      cells.slice(table.rowHeads.length).map((cell) =>
        plain(
          cell
            .replace(/\\textsuperscript\{(.*)\}/, " $1")
            .replace(/\$\\approx\$/g, "≈")
            .replace(/\$\\pm\$/g, "±")
            .replace(/\\textbf\{([^}]*)\}/, "$1")
            .replace(/\$/g, ""),
        ),
      ),
    );
}

describe.each(Object.entries(TABLES))("the table %s", (_, table) => {
  const grid = fromHtml(table);

  it("has the same cells in HTML, Markdown and LaTeX", () => {
    expect(grid).toHaveLength(table.rows.length);
    expect(grid.every((row) => row.length === table.columns.length)).toBe(true);
    expect(fromMarkdown(table)).toStrictEqual(grid);
    expect(fromLatex(table)).toStrictEqual(grid);
  });

  it("has each of them in the terminal, in the order of the columns", () => {
    const lines = formatTerminal(table, 2000).split("\n");
    const rule = lines.findIndex((line) => /^-+( |$)/.test(line));
    table.rows.forEach((_row, index) => {
      const text = (lines[rule + 1 + index] ?? "").replace(/ \[([^\]]*)\]/g, " $1");
      const expected = (grid[index] ?? []).filter((cell) => cell !== "").join(" ");
      expect(plain(text)).toContain(expected);
    });
  });

  it("has the numbers of CSV and JSON, rounded", () => {
    const json = JSON.parse(formatTable(table, "json")) as Table;
    const lines = parse(formatTable(table, "csv"), { columns: true }) as Record<string, string>[];
    const means = table.rows.flatMap((_row, index) =>
      table.columns.flatMap((column, place) => {
        const cell = json.cells[index]?.[place];
        return cell === undefined || column.kind === "n" || cell.state === "not-planned" ? [] : [cell.mean];
      }),
    );
    expect(lines.map(({ mean }) => (mean === "" ? undefined : Number(mean)))).toStrictEqual(means);
    json.cells.forEach((row, index) => {
      row.forEach((cell, place) => {
        const { unit, kind } = table.columns[place] ?? { unit: "count", kind: "n" };
        const shown = (grid[index]?.[place] ?? "").split(" ")[0]?.replaceAll(",", "") ?? "";
        if (cell.mean !== undefined && kind !== "n") {
          const scale = unit === "share" ? 100 : 1;
          const digits = shown.split(".")[1]?.length ?? 0;
          expect(Math.abs(Number(shown) - cell.mean * scale)).toBeLessThanOrEqual(0.5000001 * 10 ** -digits);
        }
      });
    });
  });
});
