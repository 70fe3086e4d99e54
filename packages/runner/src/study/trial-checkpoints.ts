// Checkpoints of a trial in its folder: the journal gets the epochs that are not trained again, and the user a word.
import { join } from "node:path";
import { type Checkpoints, checkpointFile, type EpochReport } from "@merclab/trainer";
import stringify from "safe-stable-stringify";
import { TRIAL_FILES } from "../store/experiment-store.ts";
import { type AttemptJournal, encodeFloats, type JournalRecord, metricsRecord } from "../store/journal.ts";

/**
 * @param versions what computes the trial: a checkpoint of other versions would not end with the same bits
 * @param note told what a user should know
 */
export function trialCheckpoints(
  folder: string,
  id: string,
  versions: Readonly<Record<string, string>>,
  journal: AttemptJournal,
  note: (text: string) => void,
): Checkpoints {
  const owner = stringify([id, versions]) as string;
  const stored = checkpointFile(join(folder, TRIAL_FILES.checkpoint), owner, (reason) =>
    note(`${reason}; the trial starts over`),
  );
  return {
    async load(withWeights) {
      const checkpoint = await stored.load(withWeights);
      if (checkpoint !== undefined) {
        journal.resume(checkpoint.epochs.map(epochRecord));
        note(`goes on after epoch ${checkpoint.epochs.length}`);
      }
      return checkpoint;
    },
    save: stored.save,
  };
}

/** An epoch as the journal has it. */
export function epochRecord({
  epoch,
  train,
  stepLosses,
  valid,
  seconds,
}: EpochReport): Extract<JournalRecord, { t: "m" }> {
  const values = { ...prefixed("train", train), ...prefixed("valid", valid), "epoch-seconds": seconds };
  return { ...metricsRecord(epoch, values), losses: encodeFloats(stepLosses) };
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}
