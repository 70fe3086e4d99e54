// A trial that is trained again: equal where nothing changed, and where it parts when something did.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { definePlugin, type Plugin } from "@merclab/core";
import { plugins as onnxPlugins } from "@merclab/engine-onnx";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { TRIAL_FILES, type VerifyOptions, type VerifySite, verifyTrial } from "../src/index.ts";
import { createComparer } from "../src/verify/compare.ts";
import { createRegistry, errorOf, SHIPPED, write } from "./support.ts";
import { FOLDER } from "./tiny-folder.ts";
import { tinyTrial } from "./tiny-trial.ts";

const ALL = [...SHIPPED, ...onnxPlugins];
const SMALL_STEPS = ["trainer.batchSize=1", "trainer.epochs=4"];

async function trained(plugins: readonly Plugin[] = ALL, ...overrides: string[]) {
  const trial = await tinyTrial({}, plugins, ...SMALL_STEPS, ...overrides);
  await trial.run();
  const verify = (options: Partial<VerifyOptions> = {}, site: Partial<VerifySite> = {}) =>
    verifyTrial(trial.folder, { tolerance: 1e-3, ...options }, { ...trial.site, ...site });
  const journal = join(trial.folder, TRIAL_FILES.journal);
  /** Rewrites records of the journal. */
  const tamper = (change: (record: { s: number; losses?: string; v: Record<string, number> }) => void) => {
    const lines = readFileSync(journal, "utf8").trim().split("\n");
    const changed = lines.map((line) => {
      const record = JSON.parse(line) as { t: string; s: number; v: Record<string, number> };
      if (record.t === "m") {
        change(record);
      }
      return `${JSON.stringify(record)}\n`;
    });
    writeFileSync(journal, changed.join(""));
  };
  return { ...trial, verify, tamper };
}

const nudged = (text: string, step: number, by: number): string => {
  const bytes = Buffer.from(text, "base64");
  bytes.writeFloatLE(bytes.readFloatLE(4 * step) + by, 4 * step);
  return bytes.toString("base64");
};

describe.each(["cpu", "wasm", "onnx"])("on %s", (name) => {
  test("an undisturbed trial is bitwise equal, in losses, scores, predictions and weights, and stays as it is", async () => {
    const { verify, folder } = await trained(ALL, `engine=${name}`);
    const files = Object.values(TRIAL_FILES).flatMap((file) => {
      try {
        return [[file, readFileSync(join(folder, file), "base64")]];
      } catch {
        return [];
      }
    });
    expect(files.length).toBeGreaterThan(6);
    const before = memory().numTensors;
    const whole = await verify({ epochs: undefined, tolerance: 0 });
    expect(whole).toMatchObject({ verdict: "bitwise equal", epochs: 4, of: 4, changes: [], first: undefined });
    expect(whole.largest).toEqual({ loss: 0, scores: 0, "test predictions": 0, weights: 0 });
    const part = await verify({ epochs: 2 });
    expect(part).toMatchObject({ verdict: "bitwise equal", epochs: 2, of: 4 });
    expect(part.largest).toEqual({ loss: 0, scores: 0, "test predictions": 0 });
    expect(memory().numTensors).toBe(before);
    expect(files).toEqual(files.map(([file]) => [file, readFileSync(join(folder, file ?? ""), "base64")]));
  });
});

describe("a trial that is trained again", () => {
  test.each([
    ["onnx", "wasm"],
    ["wasm", "onnx"],
  ])("of %s on %s is within the tolerance", async (one, other) => {
    const { verify } = await trained(ALL, `engine=${one}`, "fusion=sdt", "encoder=sdt", "encoder.numHeads=2");
    const verification = await verify({ epochs: undefined }, { engine: { name: other, options: {} } });
    expect(verification).toMatchObject({ verdict: "within tolerance", engines: { stored: one, repeated: other } });
    expect(verification.largest.loss).toBeGreaterThan(0);
    expect(verification.largest.loss).toBeLessThan(1e-3);
    // With a tolerance of nothing the same is a difference, at its first place.
    const strict = await verify({ tolerance: 0 }, { engine: { name: other, options: {} } });
    expect(strict).toMatchObject({ verdict: "diverged", beyond: verification.first });
  });

  test("names epoch and step where a loss is another one, and stops there", async () => {
    const { verify, tamper } = await trained();
    tamper((record) => {
      if (record.s === 2) {
        record.losses = nudged(record.losses ?? "", 1, 0.01);
      }
    });
    const verification = await verify();
    expect(verification).toMatchObject({ verdict: "diverged", epochs: 2, beyond: { what: "loss", epoch: 2, step: 2 } });
    expect(verification.largest.loss).toBeCloseTo(0.01, 4);
    expect(verification.largest["test predictions"]).toBe(0);
    expect(await verify({ tolerance: 0.1 })).toMatchObject({ verdict: "within tolerance", epochs: 4 });
    expect(await verify({ epochs: 1 })).toMatchObject({ verdict: "bitwise equal" });
  });

  test("names the epoch where scores differ, in journals without losses too", async () => {
    const { verify, tamper } = await trained();
    tamper((record) => {
      delete record.losses;
      record.v["valid/nll"] = (record.v["valid/nll"] ?? 0) + (record.s === 3 ? 0.5 : 0);
    });
    const { beyond, largest } = await verify();
    expect(beyond).toMatchObject({ what: "scores", name: "valid/nll", epoch: 3 });
    expect(largest.loss).toBeUndefined();
  });

  test("tells data, code and versions that changed before it trains, and still says what comes out", async () => {
    const mine = (code: string): Plugin =>
      ({ ...definePlugin({ ...shippedLinear, name: "mine", summary: "" }), code }) as Plugin;
    const shippedLinear = SHIPPED.find(
      ({ kind, name }) => kind === "encoder" && name === "linear",
    ) as Plugin<"encoder">;
    const { place, verify, site } = await trained([...ALL, mine("before")], "encoder=mine");
    write(join(place, "data/mine"), {
      "utterances.csv": FOLDER["utterances.csv"].replace("a,0,M,train,calm", "a,0,M,train,tense"),
    });
    const told: string[][] = [];
    const verification = await verify(
      {},
      {
        ...site,
        registry: createRegistry([...ALL, mine("after")]),
        versions: { merclab: "9" },
        onChanges: (changes) => told.push([...changes]),
      },
    );
    expect(verification.verdict).toBe("diverged");
    expect(verification.beyond).toMatchObject({ what: "loss", epoch: 1 });
    expect(told).toEqual([verification.changes]);
    expect(verification.changes).toEqual([
      "the code of encoder mine is not what it was",
      expect.stringMatching(/^the data are not what they were: fingerprint \w{16}, then \w{16}$/),
    ]);
  });

  test("must be done, with all its files", async () => {
    const { folder, site } = await tinyTrial();
    expect(await errorOf(() => verifyTrial(folder, { tolerance: 0 }, site), folder)).toMatch(
      /^storage \| DIR \| run \w+ is not done \(planned\)/,
    );
    const { folder: done, verify } = await trained();
    writeFileSync(join(done, TRIAL_FILES.journal), "");
    expect(await errorOf(verify, done)).toMatch(
      /^storage \| DIR \| run \w+ has 4 epochs in its result, 0 in its journal and 4 in its test predictions/,
    );
  });
});

test("numbers above 1 are compared relatively; NaN equals itself alone; rounding counts only beside a tolerance", () => {
  const at = { what: "loss", epoch: 1 } as const;
  const comparer = createComparer(0.01);
  comparer.compare(at, Number.NaN, Number.NaN);
  comparer.compare(at, 1000, 1001);
  comparer.compare(at, 0.5, 0.515, 0.01);
  expect(comparer.result).toMatchObject({ beyond: undefined, first: { stored: 1000, repeated: 1001 } });
  comparer.compare(at, 1, Number.NaN);
  expect(comparer.result.beyond).toMatchObject({ stored: 1, repeated: Number.NaN });
  expect(comparer.result.largest).toEqual({ loss: Number.POSITIVE_INFINITY });
  const strict = createComparer(0);
  strict.compare(at, 0.5, 0.5001, 0.01);
  expect(strict.result.beyond).toBeDefined();
});
