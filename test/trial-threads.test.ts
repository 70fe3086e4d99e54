// Threads change no number: a trial on the engine onnx is the same, bit by bit, on one thread and on several.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  createConfigGroups,
  createTrialFolder,
  parseOverride,
  planStudy,
  readExperiment,
  readJournal,
  readTrial,
  runTrialFolder,
  TRIAL_FILES,
} from "@merclab/runner";
import { expect, onTestFinished, test } from "vitest";
import { createRegistry } from "../packages/cli/src/container.ts";

const ROOT = resolve(import.meta.dirname, "..");

/** Large enough for ONNX Runtime to split its products among threads. */
const OVERRIDES = [
  "datasets=synthetic",
  "engine=onnx",
  "seeds=1",
  "encoder.dim=256",
  "trainer.epochs=2",
  "dataset.dialogues={ train: 24, valid: 4, test: 4 }",
  "dataset.lengths=[10, 40]",
];

test.each(["sdt", "lmam"])(
  "a trial of %s has the same losses, scores and predictions on 1 and 2 threads",
  async (fusion) => {
    const registry = createRegistry();
    const site = { registry, groups: createConfigGroups([`${ROOT}/configs`], registry), dataRoot: undefined };
    const experiment = await readExperiment("sdt-vs-lmam", [`${ROOT}/experiments`]);
    const overrides = [...OVERRIDES, `fusion=${fusion}`].map(parseOverride);
    const [spec] = (await planStudy(experiment, overrides, site)).trials;
    if (spec === undefined) {
      throw new Error("no trial");
    }
    const outcome = async (threads: number) => {
      const runs = mkdtempSync(join(tmpdir(), "merclab-threads-"));
      onTestFinished(() => rmSync(runs, { recursive: true, force: true }));
      const folder = await createTrialFolder(runs, spec);
      await runTrialFolder(folder, { registry, dataRoot: undefined, threads, versions: {}, report: () => undefined });
      const { result } = await readTrial(folder);
      expect(result?.threads).toBe(threads);
      return {
        id: spec.id,
        curves: readJournal(join(folder, TRIAL_FILES.journal)).flatMap((record) =>
          record.t === "m" ? [Object.entries(record.v).filter(([name]) => name !== "epoch-seconds")] : [],
        ),
        probabilities: readFileSync(join(folder, TRIAL_FILES.testProbabilities), "base64"),
        test: result?.test,
      };
    };
    const one = await outcome(1);
    expect(one.curves).toHaveLength(2);
    expect(await outcome(2)).toEqual(one);
  },
  180_000,
);
