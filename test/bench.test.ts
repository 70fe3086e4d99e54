// `pnpm bench`: what it computes from times, which batches it takes, and what it says to bad input and without torch.
import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { sampleBatches, utterancesOf } from "../benchmarks/batches.ts";
import { inventCorpus, type Talk } from "../benchmarks/corpus.ts";
import { startLoadMeter } from "../benchmarks/load.ts";
import type { RowResult } from "../benchmarks/results.ts";
import { ourSide, referenceSide } from "../benchmarks/side.ts";
import { batchMedians, bootstrapRatio, median, sumOfMedians } from "../benchmarks/statistics.ts";
import { resultsText } from "../benchmarks/table.ts";

describe("times", () => {
  it("are summed up by the median of each batch over rounds", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    const times = [
      [10, 100],
      [30, 500],
      [20, 200],
    ];
    expect(batchMedians(times)).toEqual([20, 200]);
    expect(sumOfMedians(times)).toBe(220);
  });

  it("have an interval of no width where every round gives the same ratio, whatever the rounds", () => {
    const second = [
      [10, 20],
      [15, 30],
      [40, 80],
    ];
    const first = second.map((round) => round.map((ms) => ms / 2));
    expect(bootstrapRatio(first, second)).toEqual([0.5, 0.5]);
  });

  it("have an interval that holds the ratio and shows how rounds differ", () => {
    const first = [[8], [10], [12], [9], [11]];
    const second = [[20], [20], [20], [20], [20]];
    const [low, high] = bootstrapRatio(first, second);
    expect(low).toBeGreaterThanOrEqual(0.4);
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
    expect(high).toBeLessThanOrEqual(0.6);
  });
});

describe("the load of others", () => {
  it("is what other processes took, without that of the sides", async () => {
    const meter = startLoadMeter();
    const other = spawn(process.execPath, ["-e", "while (true) {}"]);
    const started = performance.now();
    await pause(1500);
    const all = meter.others(0);
    const less = meter.others(0.1 * (performance.now() - started));
    other.kill();
    expect(all).toBeGreaterThan(0.5 / cpus().length);
    expect(less).toBeLessThan(all);
  });
});

describe("batches", () => {
  const talk = (utterances: number): Talk => ({
    speakers: new Int32Array(utterances),
    labels: new Int32Array(utterances),
  });

  it("are sampled from the middle of equal parts by size", () => {
    const all = [60, 10, 50, 20, 40, 30].map((utterances) => [talk(utterances)]);
    expect(sampleBatches(all, 2).map(utterancesOf)).toEqual([20, 50]);
    expect(sampleBatches(all, 9)).toEqual(all);
  });

  it.each([
    ["iemocap", { train: [108, 5163], valid: [12, 647], test: [31, 1623] }],
    ["meld", { train: [1038, 9989], valid: [114, 1109], test: [280, 2610] }],
  ] as const)("made up for %s have its dialogues, and its utterances to 4 %%", (name, sizes) => {
    const corpus = inventCorpus(name);
    for (const part of ["train", "valid", "test"] as const) {
      const [dialogues, utterances] = sizes[part];
      expect(corpus.parts[part]).toHaveLength(dialogues);
      expect(Math.abs(utterancesOf(corpus.parts[part]) / utterances - 1)).toBeLessThan(0.04);
    }
    const all = Object.values(corpus.parts).flat();
    expect(all.every(({ labels }) => labels.every((label) => label >= 0 && label < corpus.classes.length))).toBe(true);
    expect(all.every(({ speakers }) => speakers.every((each) => each >= 0 && each < corpus.numSpeakers))).toBe(true);
    expect(corpus.trainClassCounts.reduce((sum, count) => sum + count, 0)).toBe(utterancesOf(corpus.parts.train));
  });
});

describe("the table", () => {
  const side = { epochMs: 1500, batchMs: [], utterancesPerSecond: 10, padding: 0.4, peakMiB: 2048, compileMs: [] };
  const about = { phases: {}, parameters: 1, versions: {}, times: [], warmUpMs: [] };
  const result: RowResult = {
    row: "sdt-1024-iemocap",
    compared: "onnx ÷ PyTorch",
    data: "made up",
    batchSize: 16,
    batches: 4,
    batchesInEpoch: 7,
    rounds: 3,
    sides: [
      { name: "onnx", ...side, ...about },
      { name: "PyTorch", ...side, ...about, epochMs: 3000, peakMiB: 1024 },
    ],
    otherLoad: 0,
    repeated: 0,
    target: 0.6,
    memoryTarget: 1,
  };
  const agreement = { agrees: true, difference: 1e-7, at: "loss total, step 1" };
  const lines = (...results: RowResult[]) => resultsText(results).split("\n");

  it("holds ratios against targets", () => {
    const [, time, memory] = lines({ ...result, agreement, ratio: 0.5, interval: [0.45, 0.55], memoryRatio: 2 });
    expect(time).toMatch(/^sdt-1024-iemocap +onnx 1\.50 s +PyTorch 3\.00 s +0\.500 +0\.450 – 0\.550 +0\.60 +.*✓/);
    expect(memory).toMatch(/^sdt-1024-iemocap-memory +onnx 2048 MiB +PyTorch 1024 MiB +2\.000 +– +1\.00 +.*✗/);
  });

  it("has no ratio without PyTorch, nor where the sides disagree", () => {
    const [, alone] = lines({ ...result, sides: result.sides.slice(0, 1) });
    expect(alone).toMatch(/^sdt-1024-iemocap +onnx 1\.50 s +no PyTorch +– +– +0\.60$/);
    const told = lines({
      ...result,
      sides: [],
      agreement: { agrees: false, difference: 0.25, at: "loss task, step 2" },
    });
    expect(told[1]).toMatch(/^sdt-1024-iemocap +– +– +disagree +– +0\.60$/);
    expect(told.join("\n")).toContain("THE SIDES DISAGREE by 2.5e-1 (loss task, step 2; 0.0001 is allowed)");
    expect(told.join("\n")).not.toContain("-memory");
  });

  it("says that others disturbed the measurement", () => {
    expect(lines({ ...result, agreement, otherLoad: 0.4 }).join("\n")).toContain(
      "other processes took 40.0 % of the CPU",
    );
  });
});

describe("a side", () => {
  it("that ends early is told with what it said", async () => {
    const side = referenceSide(process.execPath, 1).start("nowhere", "none.json"); // Node reads no Python
    await expect(side.ask("init")).rejects.toMatchObject({
      code: "engine",
      message: expect.stringContaining('the side PyTorch failed: it ended with code 9 at "init"'),
      hint: expect.stringContaining("node"),
    });
  });

  it("that cannot do what it is asked says why, and goes on", async () => {
    const side = ourSide("cpu").start("nowhere", "none.json");
    await expect(side.ask("init")).rejects.toThrow(/ENOENT.*none\.json/);
    await expect(side.ask("epoch-step 0")).rejects.toThrow("the first command must be init");
    await side.quit();
  });
});

describe("the command", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "merclab-bench-test-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const bench = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((done) => {
      const command = ["--import", "tsx", "benchmarks/bench.ts", ...args];
      const cwd = resolve(import.meta.dirname, "..");
      execFile(process.execPath, command, { cwd, env: { ...process.env, NO_COLOR: "1" } }, (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });

  it.each([
    [["--rows", "sdt-1024-imeocap"], 'unknown row "sdt-1024-imeocap"', "sdt-1024-iemocap"],
    [["--rows", "sdt-256-iemocap,sdt-256-iemocap"], "is there twice", "--rows"],
    [["--engine", "onx"], 'unknown engine "onx"', "onnx"],
    [["--rounds", "0"], "whole number from 1", "--rounds"],
    [["--batches", "two"], "whole number from 1", "--batches"],
    [["--python", "no-such-python"], 'Python "no-such-python" does not run', "--python"],
    [["--data", "no-such-folder"], "does not exist", "--data"],
    [["--fast"], "unknown option '--fast'", "--help"],
  ])("refuses %j, and says what to do", async (args, ...said) => {
    const { code, stderr } = await bench(...args);
    expect(code).toBe(2);
    for (const part of said) {
      expect(stderr).toContain(part);
    }
  });

  it("measures our side alone where Python has no torch, on made-up dialogues without a data root", async () => {
    const out = join(folder, "results/alone.json");
    const { code, stdout, stderr } = await bench(
      ...["--rows", "lmam-256-iemocap", "--batches", "1", "--rounds", "1", "--threads", "1", "--patience", "0"],
      // Node is no Python with torch on any machine.
      ...["--python", process.execPath, "--data", folder, "--json", "--out", out],
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("has no torch: only our side runs");
    const document = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(out, "utf8"))).toEqual(document);
    const [row] = document.rows;
    expect(row.data).toContain("made up in the shape of iemocap");
    expect(row.sides.map(({ name }: { name: string }) => name)).toEqual(["onnx"]);
    expect(row.sides[0].times).toHaveLength(1);
    expect(row.sides[0].utterancesPerSecond).toBeGreaterThan(0);
    expect("ratio" in row).toBe(false);
  }, 180_000);

  const python = process.env.MERCLAB_PYTHON ?? "python3";
  const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
  test.skipIf(!hasTorch)(
    "prints a ratio to PyTorch (needs Python with torch)",
    async () => {
      const { code, stdout, stderr } = await bench(
        ...[
          "--rows",
          "lmam-256-iemocap",
          "--batches",
          "1",
          "--rounds",
          "1",
          "--patience",
          "0",
          "--python",
          python,
          "--data",
          folder,
        ],
      );
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/^lmam-256-iemocap +onnx [\d.]+ s +PyTorch [\d.]+ s +\d\.\d{3} +– +0\.40 +[✓✗]$/m);
      expect(stdout).toContain("the sides agree to");
    },
    180_000,
  );
});
