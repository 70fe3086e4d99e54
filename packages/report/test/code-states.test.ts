// Which commit a number was made with: in what a cell leads back to, and in the report.
import { DEFAULT_TABLE } from "@merclab/runner";
import { describe, expect, it } from "vitest";
import { compileTable, formatProvenance, formatTable, type Planned } from "../src/index.ts";
import { codeStates } from "../src/tables/code-states.ts";
import { reportOf } from "./report-support.ts";
import { environmentAt, storeStudy } from "./stored-study.ts";
import { createStudy } from "./support.ts";

const [ONE, OTHER] = ["1f2e3d4c5b6a7988".padEnd(40, "0"), "abcdef0123456789".padEnd(40, "0")];

const withCommits = (commitOf: (seed: number) => Planned["environment"]): Planned[] =>
  createStudy().map((trial) => ({ ...trial, environment: commitOf(trial.spec.seed) }));

describe("the code of a trial", () => {
  it("is one commit where the command ran in merclab's own checkout, else both", () => {
    expect(codeStates(environmentAt(ONE))).toStrictEqual(["merclab 1f2e3d4c5b6a"]);
    expect(codeStates(environmentAt(ONE, true))).toStrictEqual(["merclab 1f2e3d4c5b6a-dirty"]);
    const environment = environmentAt(ONE);
    const elsewhere = { ...environment.origin, git: { commit: OTHER, dirty: true } };
    expect(codeStates({ ...environment, origin: elsewhere })).toStrictEqual([
      "merclab 1f2e3d4c5b6a",
      "checkout abcdef012345-dirty",
    ]);
  });

  it("is unknown for trials of older versions, and without a checkout", () => {
    expect(codeStates(undefined)).toStrictEqual(["unknown"]);
    const { machine } = environmentAt(ONE).origin;
    expect(codeStates({ ...environmentAt(ONE), origin: { merclab: { version: "1" }, machine } })).toStrictEqual([
      "unknown",
    ]);
  });

  it("stands in the provenance of a cell, each commit once", () => {
    const planned = withCommits((seed) => environmentAt(seed === 1 ? ONE : OTHER));
    const table = compileTable(DEFAULT_TABLE, planned);
    const both = ["merclab 1f2e3d4c5b6a", "merclab abcdef012345"];
    expect(table.cells.flat().map(({ provenance }) => provenance.code)).toStrictEqual(
      table.cells.flat().map(() => both),
    );
    for (const format of ["terminal", "md", "latex", "html"] as const) {
      expect(formatProvenance(table, format)).toContain("merclab 1f2e3d4c5b6a, merclab abcdef012345");
    }
    expect(formatTable(table, "csv")).toContain("merclab 1f2e3d4c5b6a; merclab abcdef012345");
    expect(formatTable(table, "json")).toContain("merclab 1f2e3d4c5b6a");
    // What every commit changes would make each footnote stale, and say nothing about the numbers.
    expect(table.notes).toStrictEqual(compileTable(DEFAULT_TABLE, createStudy()).notes);
  });

  it("is left out of a table whose commits nobody read", () => {
    const table = compileTable(DEFAULT_TABLE, createStudy());
    expect(table.cells.flat().some(({ provenance }) => "code" in provenance)).toBe(false);
    expect(formatTable(table, "csv").split("\r\n")[0]).not.toContain("code");
  });

  it("is counted in the report, and told for each trial", async () => {
    const { runs, remove } = await storeStudy({
      methods: ["sdt", "lmam"],
      seeds: 3,
      commitOf: (seed) => (seed === 2 ? ONE : OTHER),
    });
    try {
      const { html } = (await reportOf(runs, {})).report;
      expect(html).toContain('<div class="mono">merclab abcdef012345 (4 trials)</div>');
      expect(html).toContain('<div class="mono">merclab 1f2e3d4c5b6a (2 trials)</div>');
      expect(html.match(/<td>merclab 1f2e3d4c5b6a/g)).toHaveLength(2);
    } finally {
      remove();
    }
  });
});
