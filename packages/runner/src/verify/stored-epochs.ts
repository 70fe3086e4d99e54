// What a trial left of each epoch, to compare a repetition with.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import { decodeNpz } from "@merclab/data";
import { type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import { decodeFloats, readJournal } from "../store/journal.ts";

export interface StoredEpoch {
  /** Loss terms and validation scores by their names in the journal, without times. */
  readonly values: Readonly<Record<string, number>>;
  /** Total loss of each step; undefined in journals of older versions. */
  readonly stepLosses: Float32Array | undefined;
  /** Row-major `[test utterances, outputDim]`, as far as the file's type keeps them. */
  readonly testPredictions: Float32Array;
}

export interface StoredEpochs {
  /** In order, the first being epoch 1. */
  readonly epochs: readonly StoredEpoch[];
  /** Whether predictions are kept in float16. */
  readonly isHalf: boolean;
}

/** @throws MerclabError `storage` when the trial is not done, or a file does not hold what it should */
export async function readStoredEpochs({ folder, spec, status, result }: StoredTrial): Promise<StoredEpochs> {
  if (result === undefined) {
    throw new MerclabError("storage", `run ${spec.id} is not done (${status?.state ?? "planned"})`, {
      where: folder,
      hint: `Finish it first: exp run ${spec.experiment}`,
    });
  }
  const predictionsFile = join(folder, TRIAL_FILES.testProbabilities);
  const entries = decodeNpz(await readFile(predictionsFile), predictionsFile);
  const stored = entries.probabilities ?? entries.scores;
  const records = readJournal(join(folder, TRIAL_FILES.journal)).filter((record) => record.t === "m");
  if (stored === undefined || stored.shape[0] !== result.epochs || records.length !== result.epochs) {
    throw new MerclabError(
      "storage",
      `run ${spec.id} has ${result.epochs} epochs in its result, ${records.length} in its journal and ` +
        `${stored?.shape[0] ?? 0} in its test predictions`,
      { where: folder, hint: "Something else changed its files: move the folder away and run the experiment again." },
    );
  }
  const size = stored.data.length / result.epochs;
  return {
    isHalf: stored.dtype === "f2",
    epochs: records.map(({ v, losses }, i) => ({
      values: withoutTimes(v),
      stepLosses: losses === undefined ? undefined : decodeFloats(losses),
      testPredictions: Float32Array.from(stored.data.subarray(i * size, (i + 1) * size)),
    })),
  };
}

/** Numbers of a journal record, without times. */
export function withoutTimes(values: Readonly<Record<string, number | string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (name.endsWith("-seconds") ? [] : [[name, Number(value)]])),
  );
}
