// Test labels behind a seal, and the fingerprint of everything that changes a number.
import { createHash } from "node:crypto";
import {
  type Dataset,
  type Dialogue,
  type Labels,
  type LoadedDataset,
  MerclabError,
  outputDim,
  type Seal,
  SPLITS,
  type Split,
} from "@merclab/core";
import { strataOf, sumCounts } from "./folder/strata.ts";

/** A dialogue whose labels are known, before they are sealed. */
export type LabelledDialogue = Dialogue & { readonly labels: Labels };

type Unsealed = Omit<Dataset, "fingerprint" | "splits" | "trainClassCounts" | "trainUtterances"> & {
  readonly splits: Readonly<Record<Split, readonly LabelledDialogue[]>>;
};

/** Takes the labels off the test part, keeps them behind the seal, adds class counts and fingerprint. */
export function sealDataset(unsealed: Unsealed): LoadedDataset {
  const { train, valid, test } = unsealed.splits;
  const { task } = unsealed;
  const { count } = strataOf(task);
  const dataset: Dataset = {
    ...unsealed,
    fingerprint: fingerprint(unsealed),
    splits: { train, valid, test: test.map(({ labels: _, ...rest }) => rest) },
    trainClassCounts:
      task.type === "regression"
        ? []
        : sumCounts(
            train.map(({ labels }) => count(labels)),
            outputDim(task),
          ),
    trainUtterances: train.reduce((sum, { speakers }) => sum + speakers.length, 0),
  };
  return { dataset, seal: createSeal(test.map(({ labels }) => labels)) };
}

function createSeal(labels: readonly Labels[]): Seal {
  return {
    open(reason) {
      if (reason.trim() === "") {
        throw new MerclabError("sealed", "the seal on test labels needs a reason to be opened", {
          hint: 'The reason is stored with the result, e.g. "scoring after training".',
        });
      }
      return labels.map((part) => part.slice());
    },
  };
}

/** SHA-256 (16 hex digits) over task, modalities, parts, speakers, presence, features and labels. */
function fingerprint({ task, modalities, numSpeakers, splits }: Unsealed): string {
  const hash = createHash("sha256");
  const add = (value: unknown): void => {
    hash.update(`${JSON.stringify(value)}\n`);
  };
  add([task, modalities, numSpeakers]);
  for (const split of SPLITS) {
    add([split, splits[split].length]);
    for (const dialogue of splits[split]) {
      add([dialogue.id, dialogue.speakers.length]);
      hash.update(bytesOf(dialogue.speakers)).update(bytesOf(dialogue.labels));
      for (const { name } of modalities) {
        hash.update(bytesOf(dialogue.features[name])).update(bytesOf(dialogue.present[name]));
      }
    }
  }
  return hash.digest("hex").slice(0, 16);
}

function bytesOf(array: Float32Array | Int32Array | Uint8Array | undefined): Uint8Array {
  return array === undefined ? new Uint8Array() : new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
