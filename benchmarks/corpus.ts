// Dialogues whose lengths, speakers and labels are the real ones where the data root has them, else made up in the same
// shape. Features are always made up: the time of a step does not depend on their values.
import {
  type Dialogue,
  drawPermutation,
  drawUniform,
  foldKey,
  type Key,
  keyFromSeed,
  type ModalityInfo,
  outputNames,
  type PluginRegistry,
} from "@merclab/core";
import { LENGTHS, lengthsFromQuantiles } from "./lengths.ts";

export type CorpusName = "iemocap" | "meld";

/** A dialogue without its features. */
export interface Talk {
  /** `[utterances]` */
  readonly speakers: Int32Array;
  /** `[utterances]`; zeros where labels are sealed. */
  readonly labels: Int32Array;
}

export interface Corpus {
  readonly name: CorpusName;
  /** A sentence for the output. */
  readonly origin: string;
  readonly classes: readonly string[];
  readonly numSpeakers: number;
  /** Training utterances per class. */
  readonly trainClassCounts: readonly number[];
  /** Widths of SDT's published feature files. */
  readonly modalities: readonly ModalityInfo[];
  readonly parts: { readonly train: readonly Talk[]; readonly valid: readonly Talk[]; readonly test: readonly Talk[] };
}

const MODALITIES: Readonly<Record<CorpusName, readonly ModalityInfo[]>> = {
  iemocap: [
    { name: "text", dim: 1024 },
    { name: "audio", dim: 1582 },
    { name: "visual", dim: 342 },
  ],
  meld: [
    { name: "text", dim: 1024 },
    { name: "audio", dim: 300 },
    { name: "visual", dim: 342 },
  ],
};

/** @throws MerclabError `data` when the folder is there and cannot be read */
export async function loadCorpus(
  name: CorpusName,
  registry: PluginRegistry,
  dataRoot: string | undefined,
): Promise<Corpus> {
  const plugin = registry.get("dataset", name);
  const source = plugin.create(plugin.options.parse({}), { dataRoot });
  if (!source.exists()) {
    return inventCorpus(name);
  }
  const { dataset } = await source.load();
  const talks = (dialogues: readonly Dialogue[]): Talk[] =>
    dialogues.map(({ speakers, labels }) => ({ speakers, labels: Int32Array.from(labels ?? speakers.map(() => 0)) }));
  const { train, valid, test } = dataset.splits;
  return {
    name,
    origin: `lengths, speakers and labels of the data root's ${name}, features made up`,
    classes: outputNames(dataset.task),
    numSpeakers: dataset.numSpeakers,
    trainClassCounts: dataset.trainClassCounts,
    modalities: MODALITIES[name],
    parts: { train: talks(train), valid: talks(valid), test: talks(test) },
  };
}

/** Dialogues of the lengths that are known of the set, with speakers and labels drawn. */
export function inventCorpus(name: CorpusName): Corpus {
  const { quantiles, numSpeakers, trainClassCounts } = LENGTHS[name];
  const key = foldKey(keyFromSeed(0), name);
  const part = (split: keyof typeof quantiles): Talk[] => {
    const { dialogues, lengths } = quantiles[split];
    const sorted = lengthsFromQuantiles(lengths, dialogues);
    return [...drawPermutation(foldKey(key, split), dialogues)].map((place, i) => {
      const length = sorted[place] ?? 1;
      return {
        speakers: Int32Array.from(drawUniform(foldKey(key, split, "speakers", i), length, 0, numSpeakers)),
        labels: drawLabels(foldKey(key, split, "labels", i), length, trainClassCounts),
      };
    });
  };
  const parts = { train: part("train"), valid: part("valid"), test: part("test") };
  const counts = trainClassCounts.map((_, label) =>
    parts.train.reduce((sum, { labels }) => sum + labels.filter((each) => each === label).length, 0),
  );
  return {
    name,
    origin: `dialogues made up in the shape of ${name}, as the data root has none`,
    classes: trainClassCounts.map((_, label) => `class ${label}`),
    numSpeakers,
    trainClassCounts: counts,
    modalities: MODALITIES[name],
    parts,
  };
}

function drawLabels(key: Key, length: number, counts: readonly number[]): Int32Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return Int32Array.from(drawUniform(key, length, 0, total), (place) => {
    let passed = 0;
    return counts.findIndex((count) => {
      passed += count;
      return place < passed;
    });
  });
}
