import type { StudyEvent, TrialSpec } from "@merclab/runner";
import { describe, expect, it } from "vitest";
import { createEstimate } from "../src/time-left.ts";

const spec = (id: string, fusion: string): TrialSpec => {
  const part = { name: "", options: {} };
  const config = {
    dataset: part,
    encoder: part,
    fusion: part,
    objective: part,
    balancer: part,
    optimizer: part,
    engine: part,
  };
  return {
    schema: 1,
    id,
    experiment: "e",
    title: "",
    cell: { dataset: "d", fusion },
    config: { ...config, trainer: { name: "trainer", options: { epochs: 10 } } },
    seed: 0,
    data: { fingerprint: "", source: "real" },
    parameters: { total: 1, trainable: 1 },
  };
};

const epoch = (of: TrialSpec, number: number, seconds: number): StudyEvent => ({
  type: "epoch",
  spec: of,
  folder: "",
  message: { type: "epoch", epoch: number, epochs: 10, seconds, loss: 1, valid: 0.5 },
});

describe("the time left", () => {
  const slow = spec("slow", "sdt");
  const fast = spec("fast", "lmam");

  it("is unknown before the first epoch", () => {
    expect(createEstimate([slow], () => 1).secondsLeft()).toBeUndefined();
  });

  it("counts what is left of each kind of trial at its own speed", () => {
    const estimate = createEstimate([slow, fast], () => 1);
    estimate.update(epoch(slow, 4, 3));
    estimate.update(epoch(fast, 5, 1));
    expect(estimate.secondsLeft()).toBe(6 * 3 + 5 * 1);
    expect(estimate.share()).toBeCloseTo(9 / 20, 12);
  });

  it("shares work between jobs, but no trial takes less than its own time", () => {
    const estimate = createEstimate([slow, fast], () => 2);
    estimate.update(epoch(slow, 4, 3));
    estimate.update(epoch(fast, 9, 1));
    expect(estimate.secondsLeft()).toBe(18);
  });

  it("takes nothing for trials that failed or were found", () => {
    const estimate = createEstimate([slow, fast], () => 1);
    estimate.update(epoch(slow, 10, 3));
    estimate.update({ type: "failed", spec: fast, folder: "", message: "", hint: undefined });
    expect(estimate.secondsLeft()).toBe(0);
    expect(estimate.share()).toBe(1);
  });
});
