// A worker that stores what a trial leaves, and computes nothing: see orchestration.ts.
import { join } from "node:path";
import {
  attemptJournal,
  metricsRecord,
  type RunnerMessage,
  readTrial,
  storeResult,
  TRIAL_FILES,
  type TrialResult,
  type TrialStatus,
  type WorkerMessage,
  writeStatus,
} from "@merclab/runner";

const tell = (message: WorkerMessage) => process.send?.(message);

process.on("message", async (message: RunnerMessage) => {
  if (message.type === "end") {
    process.exit();
  }
  if (message.type !== "run") {
    return;
  }
  const { folder } = message;
  const { spec } = await readTrial(folder);
  const status: TrialStatus = { state: "running", attempt: 1, pid: process.pid, startedAt: new Date().toISOString() };
  await writeStatus(folder, status);
  const open = { t: "open", format: 1, runKey: spec.id, attempt: 1, ts: Date.now() } as const;
  const journal = attemptJournal(join(folder, TRIAL_FILES.journal), open);
  journal.append(metricsRecord(1, { "train/total": 1, "valid/accuracy": 0.5 }));
  tell({ type: "epoch", epoch: 1, epochs: 1, seconds: 0, loss: 1, valid: 0.5 });
  journal.append({ t: "end", status: "FINISHED", ts: Date.now() });
  journal.close();
  const files = { [TRIAL_FILES.predictions]: "x".repeat(1000), [TRIAL_FILES.testProbabilities]: new Uint8Array(1000) };
  await storeResult(folder, files, { schema: 1, id: spec.id, seed: spec.seed } as TrialResult);
  await writeStatus(folder, { ...status, state: "done", endedAt: new Date().toISOString() });
  tell({ type: "ended", isReusable: true });
});
