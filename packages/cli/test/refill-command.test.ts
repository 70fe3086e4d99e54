// The command that computes what a cell lacks: the study's own, narrowed, and readable by a shell.
import { parseOverride, type TrialSpec } from "@merclab/runner";
import { describe, expect, it } from "vitest";
import { refillCommand } from "../src/refill-command.ts";

const NO_PART = { name: "x", options: {} };

function spec(cell: TrialSpec["cell"], seed = 0, options: Readonly<Record<string, unknown>> = {}): TrialSpec {
  const part = { name: "x", options };
  return {
    schema: 1,
    id: `${JSON.stringify(cell)}${seed}`,
    experiment: "four-way",
    title: "",
    cell,
    config: {
      dataset: part,
      encoder: part,
      fusion: part,
      objective: NO_PART,
      balancer: NO_PART,
      optimizer: NO_PART,
      trainer: NO_PART,
      engine: NO_PART,
    },
    seed,
    data: { fingerprint: "", source: "real" },
    parameters: { total: 1, trainable: 1 },
  };
}

const seeds = (cell: TrialSpec["cell"], count = 3) => Array.from({ length: count }, (_, seed) => spec(cell, seed));

describe("the command that refills a cell", () => {
  const cell = seeds({ dataset: "iemocap", fusion: "lmam" });

  it("narrows the study to the cell, and to the seeds that are missing", () => {
    expect(refillCommand("exp run four-way", cell, cell)).toBe("exp run four-way datasets=iemocap fusion=lmam");
    expect(refillCommand("exp run four-way", cell.slice(1), cell)).toBe(
      "exp run four-way datasets=iemocap fusion=lmam --seeds 1,2",
    );
    expect(refillCommand("exp run four-way", cell.slice(2), cell)).toBe(
      "exp run four-way datasets=iemocap fusion=lmam --seeds '[2]'",
    );
  });

  it("keeps the study's own overrides and flags, but for those that it narrows", () => {
    const study =
      "exp run four-way fusion=sdt,lmam dataset=iemocap,meld 'optimizer.lr=1e-4' --data 'my data' --seeds 3";
    expect(refillCommand(study, cell, cell)).toBe(
      "exp run four-way 'optimizer.lr=1e-4' datasets=iemocap fusion=lmam --data 'my data' --seeds 3",
    );
    expect(refillCommand(study, cell.slice(2), cell)).toBe(
      "exp run four-way 'optimizer.lr=1e-4' datasets=iemocap fusion=lmam --data 'my data' --seeds '[2]'",
    );
  });

  it.each([
    ["dataset.modalities", "text+audio", { modalities: ["text", "audio"] }, ["text", "audio"]],
    ["fusion.lmam.rank", 4, {}, 4],
    ["fusion.rank", null, { rank: null }, null],
    ["fusion.mode", "allPairs", {}, "allPairs"],
    ["fusion.mode", "true", {}, "true"],
    ["fusion.mode", "it's, a name", {}, "it's, a name"],
  ] as const)("gives %s back as it was chosen: %j", (key, label, options, value) => {
    const trials = [spec({ dataset: "meld", [key]: label }, 0, options)];
    const command = refillCommand("exp run x", trials, trials);
    // As a POSIX shell reads it: '\\'' inside quotes is a quote.
    const words = (command.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? []).map((word) =>
      word.replace(
        /'([^']*)'|\\(.)/g,
        (_, quoted: string | undefined, escaped: string | undefined) => quoted ?? escaped ?? "",
      ),
    );
    expect(parseOverride(words.at(-1) ?? "")).toMatchObject({ key, values: [value] });
  });

  it("is the study's own where the cell mixes choices, or there is none", () => {
    const mixed = [spec({ dataset: "meld" }), spec({ dataset: "iemocap" })];
    expect(refillCommand("exp run x --seeds 2", mixed, mixed)).toBe("exp run x --seeds 2");
    expect(refillCommand("exp run x", [], [])).toBe("exp run x");
  });
});
