// Dataset `synthetic`: made up, seeded, in the shape of IEMOCAP; for demonstrations and tests without real data.
import { definePlugin, type FeatureScale, type LoadedDataset, SPLITS } from "@merclab/core";
import { z } from "zod";
import { fitScale, normalizedRows } from "../folder/normalize.ts";
import { sealDataset } from "../seal.ts";
import { generateSynthetic, MOODS, type SyntheticDialogue } from "../synthetic/generate.ts";
import { SYNTHETIC_TASKS, taskOfSynthetic } from "../synthetic/tasks.ts";

const MODALITIES = ["text", "audio", "visual"] as const;

const syntheticOptions = z.strictObject({
  seed: z.int().nonnegative().default(0),
  dialogues: z
    .strictObject({
      train: z.int().positive().default(48),
      valid: z.int().positive().default(12),
      test: z.int().positive().default(20),
    })
    .prefault({}),
  lengths: z
    .tuple([z.int().positive(), z.int().positive()])
    .refine(([shortest, longest]) => shortest <= longest, "lengths: the shortest comes first")
    .default([8, 60]),
  widths: z
    .strictObject({
      text: z.int().positive().default(16),
      audio: z.int().positive().default(12),
      visual: z.int().min(MOODS, `widths.visual: the moods need ${MOODS} columns`).default(8),
    })
    .prefault({}),
  cue: z.number().nonnegative().default(0.6),
  labelNoise: z.number().min(0).lt(1).default(0.03),
  /**
   * `emotions`: six classes; `humour`: two; `sentiment`: scores from −3 to 3, with noise of their own; `emotion-set`:
   * several labels at once.
   */
  task: z.enum(SYNTHETIC_TASKS).default("emotions"),
  modalities: z
    .array(z.enum(MODALITIES))
    .min(1)
    .refine((names) => new Set(names).size === names.length, "modalities: one is listed twice")
    .nullable()
    .default(null),
});

export const syntheticPlugin = definePlugin({
  kind: "dataset",
  name: "synthetic",
  summary: "Made-up dialogues that need context and two modalities at once",
  options: syntheticOptions,
  create: (options) => ({
    folder: undefined,
    exists: () => true,
    load: () => Promise.resolve(loadSynthetic(options)),
  }),
});

export function loadSynthetic(options: z.output<typeof syntheticOptions>): LoadedDataset {
  const { dialogues } = generateSynthetic(options);
  const modalities = (options.modalities ?? MODALITIES).map((name) => ({ name, dim: options.widths[name] }));
  const total = dialogues.reduce((sum, { speakers }) => sum + speakers.length, 0);
  const trainRows = dialogues.flatMap(({ split, speakers }) =>
    new Array<boolean>(speakers.length).fill(split === "train"),
  );
  const fitRows = [...trainRows.keys()].filter((row) => trainRows[row]);
  const scales: Record<string, FeatureScale> = {};
  const normalized = Object.fromEntries(
    modalities.map(({ name, dim }) => {
      const data = Float32Array.from(dialogues.flatMap(({ features }) => [...features[name]]));
      const present = new Uint8Array(total).fill(1);
      const read = (first: number, count: number) => data.subarray(first * dim, (first + count) * dim);
      const features = { dim, rows: total, read, present };
      const scale = fitScale(features, fitRows, { method: "standardize", clip: 10 });
      if (scale !== undefined) {
        scales[name] = scale;
      }
      return [name, normalizedRows(features, [...trainRows.keys()], scale)];
    }),
  );
  let start = 0;
  const done = dialogues.map((dialogue) => {
    const first = start;
    start += dialogue.speakers.length;
    return { split: dialogue.split, ...toDialogue(dialogue, modalities, normalized, first) };
  });
  const parts = SPLITS.map((part) => [
    part,
    done.filter(({ split }) => split === part).map(({ split: _, ...dialogue }) => dialogue),
  ]);
  const loaded = sealDataset({
    name: "synthetic",
    source: "synthetic",
    task: taskOfSynthetic(options.task),
    modalities,
    numSpeakers: 2,
    splits: Object.fromEntries(parts),
  });
  return { ...loaded, scales };
}

function toDialogue(
  { id, labels, speakers }: SyntheticDialogue,
  modalities: readonly { readonly name: string; readonly dim: number }[],
  normalized: Readonly<Record<string, Float32Array>>,
  first: number,
) {
  const rows = speakers.length;
  return {
    id,
    utteranceIds: Array.from({ length: rows }, (_, place) => `${id}/${place}`),
    features: Object.fromEntries(
      modalities.map(({ name, dim }) => [
        name,
        normalized[name]?.slice(first * dim, (first + rows) * dim) ?? new Float32Array(),
      ]),
    ),
    present: Object.fromEntries(modalities.map(({ name }) => [name, new Uint8Array(rows).fill(1)])),
    speakers,
    labels,
  };
}
