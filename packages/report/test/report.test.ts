import type { Task } from "@merclab/core";
import { type ShownTrial, tableSpec } from "@merclab/runner";
import { parse } from "csv-parse/sync";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cellText } from "../src/formats/cell-text.ts";
import { compileTable, createReport, formatTable, splitByTask, standaloneSvg, type TableColumn } from "../src/index.ts";
import { blocksOf } from "../src/study/study-material.ts";
import { reportOf } from "./report-support.ts";
import { type MadeUpStudy, storeStudy } from "./stored-study.ts";
import { createResult, createSpec } from "./support.ts";

const HOSTILE = `<script>alert(1)</script>`;
const STUDY: MadeUpStudy = {
  title: `A study of ${HOSTILE} & "others"`,
  datasets: ["iemocap", "meld"],
  methods: ["sdt", "lmam", `x" onload="y`],
  classes: ["happy", HOSTILE, "sad & 'tired'"],
  seeds: 5,
  dialogues: 6,
  utterances: 12,
  skill: (method) => (method === "sdt" ? 1 : 0.1),
};

let stored: Awaited<ReturnType<typeof storeStudy>>;
let made: Awaited<ReturnType<typeof reportOf>>;

beforeAll(async () => {
  stored = await storeStudy(STUDY);
  made = await reportOf(stored.runs, STUDY);
});
afterAll(() => stored.remove());

const pageOf = (html: string) => parseHTML(html).document;
const textOf = (element: { readonly textContent: string | null } | null | undefined) =>
  (element?.textContent ?? "").replace(/\s+/g, " ").trim();

describe("a report", () => {
  test("agrees with every other format, cell by cell", () => {
    const { report, table } = made;
    const inHtml = [...pageOf(report.html).querySelectorAll("table.scores tbody tr")].map((row) =>
      [...row.querySelectorAll("td")].map(textOf),
    );
    expect(inHtml).toEqual(
      table.cells.map((row) =>
        row.map((cell, place) => {
          const { value, spread, marks } = cellText(table.columns[place] as TableColumn, cell);
          return `${value}${spread === "" ? "" : ` ± ${spread}`}${marks.join(",")}`;
        }),
      ),
    );
    const labels = table.rowHeads.length;
    const ofMarkdown = formatTable(table, "md")
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .slice(2)
      .map((line) => line.split(/(?<!\\)\|/).slice(1 + labels, -1));
    expect(ofMarkdown.map((row) => row.map(plainMarkdown))).toEqual(inHtml);
    const ofLatex = formatTable(table, "latex")
      .split("\\midrule")[1]
      ?.split("\\bottomrule")[0]
      ?.split("\n")
      .filter((line) => line.includes(" & "))
      .map((line) =>
        line
          .replace(/\\\\$/, "")
          .split(/(?<!\\)&/)
          .slice(labels),
      );
    expect(ofLatex?.map((row) => row.map(plainLatex))).toEqual(inHtml);
    const ofCsv = parse(formatTable(table, "csv"), { columns: true }) as Record<string, string>[];
    const raw = table.cells.flatMap((row) => row.filter((_, place) => table.columns[place]?.kind !== "n"));
    expect(ofCsv.map(({ mean }) => Number(mean))).toEqual(raw.map(({ mean }) => mean));
  });

  test("copies what the other formats print", () => {
    const { report, table } = made;
    const copies = JSON.parse(pageOf(report.html).querySelector("#copies")?.textContent ?? "") as unknown;
    expect(copies).toEqual([
      { latex: formatTable(table, "latex"), md: formatTable(table, "md"), csv: formatTable(table, "csv") },
    ]);
  });

  test("keeps text of files text, wherever it stands", () => {
    const { report } = made;
    expect(report.html).not.toContain(HOSTILE);
    expect(report.html).not.toContain(`x" onload="y`);
    const page = pageOf(report.html);
    expect([...page.querySelectorAll("script")].map((script) => script.getAttribute("id"))).toEqual(["copies", null]);
    expect(page.querySelectorAll("[onload]")).toHaveLength(0);
    expect(textOf(page.querySelector("h1"))).toBe(STUDY.title);
    for (const { drawing } of report.pictures) {
      expect(standaloneSvg(drawing)).not.toContain(HOSTILE);
    }
  });

  test("asks for nothing outside itself", () => {
    const { html } = made.report;
    expect(html.match(/(?:src|href)="(?!#)[^"]*"/g)).toBeNull();
    expect(html).not.toMatch(/url\(|@import|https?:/);
  });

  test("is the same bytes for the same runs", async () => {
    expect((await reportOf(stored.runs, STUDY)).report.html).toBe(made.report.html);
  });

  test("has every picture titled, described and named apart, with its numbers beside it", () => {
    const { report } = made;
    const page = pageOf(report.html);
    const pictures = [...page.querySelectorAll("svg.plot")];
    expect(pictures).toHaveLength(report.pictures.length);
    expect(pictures.length).toBeGreaterThan(30);
    for (const picture of pictures) {
      expect(picture.getAttribute("role")).toBe("img");
      expect(picture.getAttribute("aria-label")?.length).toBeGreaterThan(10);
      expect(picture.getAttribute("aria-description")?.length).toBeGreaterThan(10);
      expect(picture.closest("figure")?.querySelector("details.numbers table")).not.toBeNull();
    }
    expect(new Set(report.pictures.map(({ name }) => name)).size).toBe(report.pictures.length);
    for (const { name } of report.pictures) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
    }
  });

  test("calls best what the table marks, and nothing else", async () => {
    const summary = textOf(pageOf(made.report.html).querySelector("#summary"));
    const winners = made.table.cells.map((row) => row.some(({ comparison }) => comparison?.standing === "winner"));
    expect(winners).toContain(true);
    expect(summary).toMatch(
      /iemocap: sdt \([\d.]+ ± [\d.]+\) is the best in Weighted F1, told apart from every other row/,
    );
    const equals: MadeUpStudy = { methods: ["sdt", "lmam"], seeds: 3 };
    const tied = await storeStudy(equals);
    const { report, table } = await reportOf(tied.runs, equals);
    tied.remove();
    expect(table.cells.flat().some(({ comparison }) => comparison?.standing === "winner")).toBe(false);
    const text = textOf(pageOf(report.html).querySelector("#summary"));
    expect(text).toContain("no row can be called best in Weighted F1");
    expect(text).not.toContain("is the best");
  });

  test("tests nothing with one seed, and then says so", async () => {
    const single: MadeUpStudy = { methods: ["sdt", "lmam"], seeds: 1 };
    const { runs, remove } = await storeStudy(single);
    const { report } = await reportOf(runs, single);
    remove();
    const page = pageOf(report.html);
    expect(textOf(page.querySelector("#summary"))).toContain("nothing was tested in Weighted F1");
    expect(textOf(page.querySelector("#flips"))).toContain("McNemar's exact test of these two runs: p =");
  });

  test("says first what is missing, with the command that computes it", async () => {
    const partial: MadeUpStudy = { methods: ["sdt", "lmam"], seeds: 2, isMissing: (method) => method === "lmam" };
    const { runs, remove } = await storeStudy(partial);
    const { report } = await reportOf(runs, partial);
    remove();
    const page = pageOf(report.html);
    expect(textOf(page.querySelector(".warning"))).toBe(
      "2 of 4 trials have no result. To compute what is missing: exp run made-up",
    );
    expect(textOf(page.querySelector("#provenance"))).toContain("planned");
  });

  test("of a study that has not run is a page all the same", async () => {
    const nothing: MadeUpStudy = { methods: ["sdt"], seeds: 2, isMissing: () => true };
    const { runs, remove } = await storeStudy(nothing);
    const { report } = await reportOf(runs, nothing);
    remove();
    expect(textOf(pageOf(report.html).querySelector(".warning"))).toContain("2 of 2 trials have no result");
  });

  test("shows gates and attention where they can be had, and says where not", async () => {
    const counts = 12;
    const gate = (shift: number) => Float32Array.from({ length: counts }, (_, at) => (at + shift) / 20);
    const map = Float32Array.from({ length: counts * counts }, (_, at) => Math.sin(at));
    const shown: ShownTrial = {
      id: "any",
      dialogues: [
        {
          id: "d0",
          arrays: {
            "gate.text": { shape: [counts], data: gate(1) },
            "gate.audio": { shape: [counts], data: gate(5) },
            "attention.text.audio": { shape: [counts, counts], data: map },
          },
        },
      ],
    };
    const shownOf = (trial: { readonly spec: { readonly cell: object } }) =>
      Promise.resolve("fusion" in trial.spec.cell && trial.spec.cell.fusion === "sdt" ? shown : undefined);
    const speakersOf = () =>
      Promise.resolve(new Map([["d0", Array.from({ length: counts }, (_, at) => `s${at % 2}`)]]));
    const { report } = await reportOf(stored.runs, STUDY, { shownOf, speakersOf });
    const section = pageOf(report.html).querySelector("#dialogues");
    expect(textOf(section)).toContain("Gates of sdt along d0");
    expect(textOf(section)).toContain("text to audio");
    expect(textOf(section)).toContain("No gates of lmam and x");
    expect(report.pictures.filter(({ name }) => /gates-sdt|attention-sdt/.test(name))).toHaveLength(4);
  });
});

test.each<[Task, string, readonly string[]]>([
  [{ type: "regression", range: [-3, 3] }, "mae", ["summary", "tables", "flips", "stress", "cost", "provenance"]],
  [
    { type: "multi-label", labels: ["joy", "anger"], threshold: 0.5 },
    "macro-f1",
    ["summary", "tables", "classes", "flips", "stress", "cost", "provenance"],
  ],
])("a study of %j has the sections that its task can fill", async (task, metric, sections) => {
  const trials = ["sdt", "lmam"].flatMap((fusion, method) =>
    [1, 2].map((seed) => {
      const spec = createSpec({ dataset: "cmu-mosei", fusion }, { seed, task });
      return { spec, result: createResult(spec, { valid: { [metric]: 0.5 + 0.1 * method + 0.01 * seed } }) };
    }),
  );
  const study = { schema: 1, experiment: "tasks", title: "Tasks", command: "exp run tasks", notices: [] } as const;
  const material = {
    study: { ...study, tables: [], trials: trials.map(({ spec }) => spec) },
    trials,
    blocks: blocksOf(trials),
  };
  const [part] = splitByTask(tableSpec.parse({ columns: [] }), trials);
  const table = compileTable(part?.spec ?? tableSpec.parse({}), trials, { experiment: "tasks" });
  const nothing = () => Promise.resolve(undefined);
  const report = await createReport({ material, tables: [table], speakersOf: nothing, shownOf: nothing });
  const page = pageOf(report.html);
  expect([...page.querySelectorAll("section")].map(({ id }) => id)).toEqual(sections);
  expect(textOf(page.querySelector("#summary"))).toContain("On cmu-mosei, 2 methods were compared (sdt and lmam)");
});

/** "**78.31** ± 0.14 <sup>\\*</sup>" as the page shows it. */
function plainMarkdown(cell: string): string {
  return cell
    .replaceAll("**", "")
    .replace(/ ?<sup>(.*)<\/sup>/, "$1")
    .replaceAll("\\", "")
    .trim();
}

function plainLatex(cell: string): string {
  return cell
    .replaceAll("$\\pm$", "±")
    .replaceAll("$\\approx$", "≈")
    .replace(/\\textbf\{([^}]*)\}/, "$1")
    .replace(/\\textsuperscript\{(.*)\}/, "$1")
    .replaceAll("$", "")
    .trim();
}

test("a picture as a file has its title, and its colours with it", () => {
  const [picture] = made.report.pictures;
  const svg = standaloneSvg(picture?.drawing ?? { title: "", description: "", svg: "" });
  expect(svg).toMatch(
    /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [^>]*><title>F1 of the class happy on iemocap<\/title>/,
  );
  for (const [, name] of svg.matchAll(/var\((--[a-z0-9-]+)\)/g)) {
    expect(svg).toContain(`${name}: #`);
  }
});
