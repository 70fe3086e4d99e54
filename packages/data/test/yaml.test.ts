// YAML errors: file, line, nearest known name, all at once.
import { MerclabError } from "@merclab/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { folderSchema, KNOWN_SETS, parseYaml, readYamlFile, shippedDescription } from "../src/index.ts";

const schema = z.strictObject({
  title: z.string(),
  fusion: z.enum(["sdt", "lmam"]).default("sdt"),
  seeds: z.union([z.int().positive(), z.array(z.int())]).default(5),
  tables: z.array(z.strictObject({ rows: z.string(), metrics: z.array(z.string()).default([]) })).default([]),
  base: z.record(z.string(), z.strictObject({ dim: z.int().optional() })).optional(),
});

function failure(text: string): MerclabError {
  try {
    parseYaml(text, schema, "study.yaml");
  } catch (error) {
    if (error instanceof MerclabError) {
      return error;
    }
    throw error;
  }
  throw new Error("expected an error, got none");
}

describe("parseYaml", () => {
  test("gives values with defaults, and the line of each key", () => {
    const { value, lineOf } = parseYaml("# a study\ntitle: x\ntables:\n  - rows: a\n  - rows: b\n", schema, "f");
    expect(value).toEqual({
      title: "x",
      fusion: "sdt",
      seeds: 5,
      tables: [
        { rows: "a", metrics: [] },
        { rows: "b", metrics: [] },
      ],
    });
    expect(lineOf(["title"])).toBe(2);
    expect(lineOf(["tables", 1, "rows"])).toBe(5);
    expect(lineOf(["tables", 1, "metrics"])).toBe(5);
  });

  test("names an unknown key with its line and the nearest known one", () => {
    const error = failure("title: x\ntables:\n  - rows: a\n    metric: [f1]\n");
    expect(error.code).toBe("config");
    expect(error.where).toBe("study.yaml:4");
    expect(error.message).toBe('unknown key "metric" in "tables[0]". Did you mean "metrics"? Known: metrics, rows.');
  });

  test("looks into records", () => {
    expect(failure("title: x\nbase: { a: { dmi: 3 } }").message).toMatch('in "base.a". Did you mean "dim"?');
  });

  test("names missing keys, wrong types and unknown values", () => {
    expect(failure("fusion: sdt").message).toBe('missing "title": expected text');
    expect(failure("title: [x]").message).toBe('"title": expected text, got a list');
    expect(failure("title: x\nfusion: lmma").message).toMatch('got "lmma". Did you mean "lmam"? Known: lmam, sdt.');
    expect(failure("title: x\nseeds: many").message).toBe('"seeds": expected a number or a list, got "many"');
    expect(failure("title: x\nseeds: [1, b]").message).toBe('"seeds[1]": expected a number, got "b"');
    expect(failure("- a").message).toBe("expected a section of keys, got a list");
  });

  test("tells at most eight problems, in the order of lines", () => {
    const keys = Array.from({ length: 10 }, (_, i) => `key${i}: 1`);
    const lines = failure(["title: x", ...keys].join("\n")).message.split("\n");
    expect(lines[0]).toBe("10 problems");
    expect(lines[1]).toMatch('line 2: unknown key "key0"');
    expect(lines.at(-1)).toBe("  and 2 more");
    expect(lines).toHaveLength(10);
  });

  test.each([
    ["title: 'x", 1],
    ["title: x\ntitle: y", 2],
    ["title: x\n  fusion: sdt", 1],
    ["title: !!js/function x", 1],
    ["", 1],
    ["title: x\n---\ntitle: y", 2],
  ])("refuses %j at line %i", (text, line) => {
    const error = failure(text);
    expect([error.code, error.where]).toEqual(["config", `study.yaml:${line}`]);
  });

  test("refuses aliases that grow without bound", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [from, to] of ["ab", "bc", "cd", "de", "ef"].map((pair) => [...pair])) {
      bomb.push(`${to}: &${to} [${new Array(9).fill(`*${from}`).join(", ")}]`);
    }
    expect(failure(bomb.join("\n")).message).toMatch("cannot be expanded");
  });
});

describe("dataset.yaml", () => {
  const correct = [
    "name: x",
    "utterances: u.csv",
    "columns: { dialogue: d }",
    "labels: { column: l, classes: [a, b] }",
    "splits: { column: s }",
    "modalities: { text: { file: t.npy } }",
  ];
  const broken = (line: string, at: number): string => {
    try {
      parseYaml(correct.map((good, index) => (index === at ? line : good)).join("\n"), folderSchema, "dataset.yaml");
    } catch (error) {
      return error instanceof MerclabError ? `${error.where} ${error.message}` : String(error);
    }
    return "no error";
  };

  test.each(KNOWN_SETS)("the description of %s that comes with the package is correct", async (name) => {
    const { value } = await readYamlFile(shippedDescription(name), folderSchema);
    expect(value.name).toBe(name);
    expect(value.normalize).toEqual({ method: "standardize", clip: 10 });
  });

  test.each([
    ["labels: { type: regression, column: l, classes: [a, b] }", 3, 'missing "range" in "labels"'],
    ["labels: { type: regresion, column: l }", 3, 'Did you mean "regression"?'],
    ["labels: { column: l, classes: [a, a] }", 3, '"labels.classes": a class is listed twice'],
    ["labels: { column: l, classes: [a, b], kind: x }", 3, 'unknown key "kind" in "labels"'],
    ["splits: { column: s, dialogues: { train: [a], test: [b] } }", 4, '"splits": give either "column" or "dialogues"'],
    ["splits: { dialogues: { train: [a] } }", 4, 'missing "test" in "splits.dialogues"'],
    ["", 4, 'one table for all parts needs "splits"'],
    ["modalities: { 1st: { file: t.npy } }", 5, '"modalities.1st": a modality\'s name has letters'],
    ["modalities: { text: { file: { train: a, test: b } } }", 5, '"modalities.text.file": the parts must be those of'],
    ["modalities: { text: { fil: t.npy } }", 5, 'Did you mean "file"?'],
  ])("%s is refused", (line, at, message) => {
    const told = broken(line, at);
    expect(told).toContain(message);
    expect(told).toMatch(/^dataset.yaml:\d /);
  });
});
