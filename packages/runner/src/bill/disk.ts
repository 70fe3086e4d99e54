// What a trial leaves on the disk: as it lies there, or as its config says.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Dataset, outputDim } from "@merclab/core";
import { trainerOptions } from "@merclab/trainer";
import { TRIAL_FILES } from "../store/experiment-store.ts";
import type { TrialSpec } from "../store/trial-files.ts";

export interface DiskUse {
  readonly weightsBytes: number;
  /** Predictions, journal and the rest. */
  readonly otherBytes: number;
}

/** Of the files of a trial's folder. */
export async function storedDiskUse(folder: string): Promise<DiskUse> {
  let [weightsBytes, otherBytes] = [0, 0];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const size = entry.isFile() ? (await stat(join(folder, entry.name))).size : 0;
    if (entry.name === TRIAL_FILES.weights) {
      weightsBytes += size;
    } else {
      otherBytes += size;
    }
  }
  return { weightsBytes, otherBytes };
}

/** Text of a csv line beside its probabilities, and of a journal record; both are mostly names. */
const LINE_BYTES = 40;
const RECORD_BYTES = 600;

/** float32 parameters; float16 predictions of every epoch before compression, and the selected one as text. */
export function expectedDiskUse(
  { config, parameters }: Pick<TrialSpec, "config" | "parameters">,
  { task, splits }: Pick<Dataset, "task" | "splits">,
): DiskUse {
  const { epochs } = trainerOptions.parse(config.trainer.options);
  const utterances = splits.test.reduce((sum, { speakers }) => sum + speakers.length, 0);
  const width = outputDim(task);
  return {
    weightsBytes: 4 * parameters.total,
    otherBytes:
      epochs * utterances * width * (task.type === "regression" ? 4 : 2) +
      utterances * (LINE_BYTES + 9 * width) +
      epochs * RECORD_BYTES,
  };
}
