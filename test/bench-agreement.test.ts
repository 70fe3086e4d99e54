// Both sides of `pnpm bench` do the same work: tiny models with the same weights and without dropout give the same
// losses before and after an update. Skipped by name without a Python that has torch.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compareSides } from "../benchmarks/agreement.ts";
import { type CorpusName, inventCorpus } from "../benchmarks/corpus.ts";
import { SETTINGS_FILES, writeRowFolder } from "../benchmarks/row-folder.ts";
import { findRow, type ModelChoice, type Row } from "../benchmarks/rows.ts";
import { ourSide, referenceSide, type SideKind } from "../benchmarks/side.ts";
import { createRegistry } from "../packages/cli/src/container.ts";

// Every case starts two processes, one of which imports torch.
vi.setConfig({ testTimeout: 180_000 });

const python = process.env.MERCLAB_PYTHON ?? "python3";
const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
const ours = ourSide("onnx");
const reference = referenceSide(python, 1);

describe.skipIf(!hasTorch)("both sides of the bench (needs Python with torch)", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "merclab-bench-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A row as it is measured, but for its width and its data. */
  const writeTiny = (name: string): Row => {
    const row = narrow(findRow(name));
    writeRowFolder(folder, row, tinyCorpus(row.corpus), tinyBatches(row.corpus), 1, createRegistry());
    return row;
  };

  it.each(["sdt-1024-iemocap", "sdt-1024-meld", "lmam-256-iemocap", "sdt-1024-iemocap-eval"])(
    "agree on a narrow %s",
    async (name) => {
      const { agrees, difference, at } = await compareSides(writeTiny(name), [ours, reference], folder, 2);
      expect(difference, at).toBeLessThan(1e-5);
      expect(agrees).toBe(true);
    },
  );

  it("are found out where one works with another temperature", async () => {
    const row = writeTiny("sdt-1024-iemocap");
    const other = join(folder, "other");
    mkdirSync(other);
    for (const file of [
      SETTINGS_FILES.agreement,
      "text.f32",
      "audio.f32",
      "visual.f32",
      "speakers.i32",
      "labels.i32",
    ]) {
      cpSync(join(folder, file), join(other, file));
    }
    const settings = JSON.parse(readFileSync(join(other, SETTINGS_FILES.agreement), "utf8"));
    settings.objective.options.temperature = 2;
    writeFileSync(join(other, SETTINGS_FILES.agreement), JSON.stringify(settings));
    const warmer: SideKind = { name: "warmer", start: (_folder, file) => reference.start(other, file) };
    const { agrees, difference } = await compareSides(row, [ours, warmer], folder, 2);
    expect(agrees).toBe(false);
    expect(difference).toBeGreaterThan(1e-4);
  });
});

function narrow(row: Row): Row {
  const { encoder, fusion, objective } = row.model;
  const model: ModelChoice = {
    encoder: { ...encoder, options: { ...encoder.options, dim: 32 } },
    fusion,
    objective,
  };
  return { ...row, model };
}

function tinyCorpus(name: CorpusName) {
  const corpus = inventCorpus(name);
  return { ...corpus, modalities: corpus.modalities.map((modality, i) => ({ ...modality, dim: 5 + i })) };
}

/** Two batches of three dialogues of different lengths. */
function tinyBatches(name: CorpusName) {
  const { train } = inventCorpus(name).parts;
  return { batches: [train.slice(0, 3), train.slice(3, 6)], inEpoch: 2 };
}
