// Where a trial stands, from what lies in its folder.
import { join } from "node:path";
import { expect, test } from "vitest";
import { type TrialSpec, viewStudy } from "../src/index.ts";
import { takeLease } from "../src/supervisor/lease.ts";
import { temporaryFolder, write } from "./support.ts";

const LONG_AGO = Date.parse("2026-01-01T00:00:00Z");

test("progress is the newest record or the lease: an attempt that goes on begins with the times of the one before", async () => {
  const runs = temporaryFolder();
  const spec = { id: "3f2a", experiment: "s", seed: 0, config: { trainer: { options: { epochs: 9 } } } };
  const epochs = [4, 90, 5].map((seconds, i) => ({
    t: "m",
    s: i + 1,
    ts: LONG_AGO + i,
    v: { "epoch-seconds": seconds },
  }));
  const journal = [{ t: "open", format: 1, runKey: "3f2a", attempt: 1, ts: LONG_AGO - 1 }, ...epochs];
  write(runs, {
    "s/trials/3f2a/trial.json": JSON.stringify(spec),
    "s/trials/3f2a/journal.jsonl": journal.map((record) => `${JSON.stringify(record)}\n`).join(""),
  });
  const look = async () => (await viewStudy(runs, "s", [spec as unknown as TrialSpec])).trials[0];
  expect(await look()).toMatchObject({ state: "missing", epoch: 3, epochSeconds: 5, progressAt: undefined });
  const before = Date.now();
  const taken = takeLease(join(runs, "s/trials/3f2a"));
  const running = await look();
  expect(running).toMatchObject({ state: "running", epochSeconds: 5 });
  expect(running?.progressAt).toBeGreaterThanOrEqual(before);
  if ("lease" in taken) {
    taken.lease.release();
  }
});
