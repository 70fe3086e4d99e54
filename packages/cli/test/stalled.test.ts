// When a trial that runs is said to come no further.
import type { TrialView } from "@merclab/runner";
import { expect, test } from "vitest";
import { stalledSeconds, stalledText } from "../src/stalled.ts";

const NOW = 1_800_000_000_000;
const quietFor = (seconds: number, view: Partial<TrialView> = {}) =>
  stalledSeconds({ state: "running", progressAt: NOW - 1000 * seconds, epochSeconds: 4, ...view }, 600, NOW);

test("after ten minutes without a record, and after twenty epochs' time where these are long", () => {
  expect(quietFor(599)).toBeUndefined();
  expect(quietFor(601)).toBe(601);
  expect(quietFor(601, { epochSeconds: 60 })).toBeUndefined();
  expect(quietFor(1201, { epochSeconds: 60 })).toBe(1201);
});

test("never where nobody trains it, or no epoch has told yet how long they take", () => {
  expect(quietFor(9999, { state: "waiting" })).toBeUndefined();
  expect(quietFor(9999, { progressAt: undefined })).toBeUndefined();
  expect(quietFor(9999, { epochSeconds: undefined })).toBeUndefined();
});

test.each([
  ["Slurm job 12_3 on node1", '"exp cancel four-way 3f2a" ends it'],
  ["process 4711 on laptop", 'end process 4711 on laptop ("kill", twice)'],
  ["Kubernetes job 3 (lab-3) on node1", "end Kubernetes job 3 (lab-3) on node1"],
])("says for how long, and what to do: %s", (detail, end) => {
  const spec = { id: "3f2a", experiment: "four-way", cell: { dataset: "meld", fusion: "sdt" }, seed: 1 };
  expect(stalledText({ spec, epoch: 7, detail } as unknown as TrialView, 1380)).toBe(
    `meld  sdt  seed 1  no progress since 23 min, after epoch 7: should it hang, ${end}; "exp resume four-way" goes on ` +
      "from its checkpoint",
  );
});
