// What the rest of a study costs, from what is stored, from probes, or from neither.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { plugins as onnxPlugins } from "@merclab/engine-onnx";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import {
  type BilledTrial,
  cellId,
  estimateBill,
  expectedDiskUse,
  openStoredModel,
  probeTrial,
  storedDiskUse,
  type TrialProbe,
  type TrialSpec,
} from "../src/index.ts";
import { errorOf, SHIPPED } from "./support.ts";
import { tinyTrial } from "./tiny-trial.ts";

/** A trial of config `name` that took these seconds, if any. */
function billed(name: string, seed: number, seconds?: number, peakBytes?: number): BilledTrial {
  const config = { fusion: { name, options: {} } };
  const spec = {
    id: `${name}${seed}`,
    config,
    seed,
    data: { fingerprint: "f", source: "real" },
  } as unknown as TrialSpec;
  return { spec, seconds, peakBytes, disk: { weightsBytes: 10, otherBytes: 1 }, plannedBytes: 100 };
}

const probe = (seconds: number): TrialProbe => ({ seconds, epochSeconds: 1, peakBytes: 120, steps: 3 });

describe("the bill", () => {
  test("goes by trials of the same config, then by a probe, then by other trials, and says which", () => {
    const trials = [billed("a", 0, 10, 50), billed("a", 1, 20, 60), billed("a", 2), billed("b", 0), billed("c", 0)];
    const probes = new Map([[cellId(trials[3]?.spec as TrialSpec), probe(40)]]);
    const bill = estimateBill(trials, probes, 2);
    expect(bill.trials.map(({ id, seconds, secondsFrom }) => [id, seconds, secondsFrom])).toEqual([
      ["a2", 15, "stored"],
      ["b0", 40, "probe"],
      ["c0", 15, "other trials"],
    ]);
    // c0 follows a2 on the first place.
    expect(bill.seconds).toBe(40);
    expect(estimateBill(trials, probes, 1).seconds).toBe(70);
    expect(bill.trials.map(({ memoryBytes, memoryFrom }) => [memoryBytes, memoryFrom])).toEqual([
      [60, "stored"],
      [120, "probe"],
      [100, "engine"],
    ]);
    expect(bill.memoryBytes).toBe(220);
    const small = new Map([...probes].map(([key, each]) => [key, { ...each, peakBytes: 1 }]));
    expect(estimateBill(trials, small, 2).trials[1]).toMatchObject({ memoryBytes: 100, memoryFrom: "engine" });
    expect(bill.disk).toEqual({ weightsBytes: 30, otherBytes: 3 });
  });

  test("guesses nothing: without a trial or a probe the time is unknown", () => {
    expect(estimateBill([billed("a", 0)], new Map(), 1)).toMatchObject({
      seconds: undefined,
      trials: [{ seconds: undefined, secondsFrom: undefined }],
    });
    expect(estimateBill([billed("a", 0, 5)], new Map(), 1)).toMatchObject({ seconds: 0, trials: [], memoryBytes: 0 });
  });
});

test("the disk that a trial is expected to take is about what it takes", async () => {
  const { run, folder, spec, site } = await tinyTrial({}, undefined, "trainer.epochs=40", "encoder.dim=64");
  await run();
  const stored = await storedDiskUse(folder);
  const model = await openStoredModel(folder, site);
  const expected = expectedDiskUse(spec, model.loaded.dataset);
  await model.dispose();
  // The header holds names, config and scales.
  expect(stored.weightsBytes).toBeGreaterThan(expected.weightsBytes);
  expect(stored.weightsBytes).toBeLessThan(expected.weightsBytes + 20_000);
  expect(expected.otherBytes / stored.otherBytes).toBeGreaterThan(0.5);
  expect(expected.otherBytes / stored.otherBytes).toBeLessThan(2);
});

describe.each(["cpu", "onnx"])("a probe on %s", (engine) => {
  test("says what a trial would take, and leaves nothing behind", async () => {
    const { folder, spec, site } = await tinyTrial({}, [...SHIPPED, ...onnxPlugins], `engine=${engine}`);
    const files = readdirSync(join(folder, "../.."), { recursive: true });
    const before = memory().numTensors;
    const found = await probeTrial(spec, site);
    expect(memory().numTensors).toBe(before);
    expect(readdirSync(join(folder, "../.."), { recursive: true })).toEqual(files);
    expect(found.steps).toBe(1);
    expect(found.epochSeconds).toBeGreaterThan(0);
    expect(found.seconds).toBeGreaterThan(3 * found.epochSeconds);
    expect(found.peakBytes).toBeGreaterThan(50e6);
  });
});

test("a probe refuses what a trial would", async () => {
  const { spec, site } = await tinyTrial();
  const other = { ...spec, data: { ...spec.data, fingerprint: "0" } };
  expect(await errorOf(() => probeTrial(other, site))).toMatch(/^data \| .* \| the data changed since/);
});
