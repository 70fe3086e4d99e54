// What is done to the test part before a trained model sees it: modalities removed, noised, or mixed up between
// utterances. Draws are keyed by draw, modality and dialogue, not by how strong the stress is: a higher missing rate
// removes what a lower one does and more, and louder noise is the same noise, so that curves are smooth and comparable
// between models.
import {
  type Dialogue,
  drawNormal,
  drawPermutation,
  drawUniform,
  foldKey,
  type Key,
  type ModalityInfo,
} from "@merclab/core";

export type Condition =
  /** Only these modalities; the others are missing for every utterance. All of them: the test part as it is. */
  | { readonly kind: "subset"; readonly modalities: readonly string[] }
  /** Each modality of each utterance is missing with this probability, independently. */
  | { readonly kind: "missing"; readonly rate: number }
  /** Gaussian noise on these modalities, its deviation `level` times that of each feature in the training part. */
  | { readonly kind: "noise"; readonly modalities: readonly string[]; readonly level: number }
  /** The rows of this modality are dealt to other utterances. */
  | { readonly kind: "shuffled"; readonly modality: string };

/** Whether draws differ. */
export function isRandom(condition: Condition): boolean {
  switch (condition.kind) {
    case "subset":
      return false;
    case "missing":
      return condition.rate > 0 && condition.rate < 1;
    case "noise":
      return condition.level > 0;
    case "shuffled":
      return true;
  }
}

/** Standard deviation `[dim]` of each feature over the utterances that have the modality, by modality. */
export type Deviations = Readonly<Record<string, Float64Array>>;

/** @param key one per draw */
export function perturb(
  condition: Condition,
  dialogues: readonly Dialogue[],
  { modalities, deviations }: { readonly modalities: readonly ModalityInfo[]; readonly deviations: Deviations },
  key: Key,
): Dialogue[] {
  switch (condition.kind) {
    case "subset":
      return dialogues.map((dialogue) =>
        withModalities(dialogue, modalities, (info) =>
          condition.modalities.includes(info.name) ? undefined : removed(dialogue, info, () => true),
        ),
      );
    case "missing":
      return dialogues.map((dialogue, at) =>
        withModalities(dialogue, modalities, (info) => {
          const drawn = drawUniform(foldKey(key, "missing", info.name, at), dialogue.speakers.length);
          return removed(dialogue, info, (utterance) => (drawn[utterance] ?? 0) < condition.rate);
        }),
      );
    case "noise":
      return dialogues.map((dialogue, at) =>
        withModalities(dialogue, modalities, (info) =>
          condition.modalities.includes(info.name)
            ? noised(dialogue, info, condition.level, deviations, foldKey(key, "noise", info.name, at))
            : undefined,
        ),
      );
    case "shuffled":
      return shuffled(dialogues, modalities, condition.modality, foldKey(key, "shuffled", condition.modality));
  }
}

/** Of the training part. */
export function featureDeviations(dialogues: readonly Dialogue[], modalities: readonly ModalityInfo[]): Deviations {
  return Object.fromEntries(
    modalities.map(({ name, dim }) => {
      const [sums, squares] = [new Float64Array(dim), new Float64Array(dim)];
      let count = 0;
      // Welford's update, row by row.
      for (const { features, present } of dialogues) {
        const values = features[name] ?? new Float32Array();
        present[name]?.forEach((observed, row) => {
          if (observed === 0) {
            return;
          }
          count++;
          for (let column = 0; column < dim; column++) {
            const value = values[row * dim + column] ?? 0;
            const before = value - (sums[column] ?? 0);
            sums[column] = (sums[column] ?? 0) + before / count;
            squares[column] = (squares[column] ?? 0) + before * (value - (sums[column] ?? 0));
          }
        });
      }
      return [name, squares.map((square) => (count === 0 ? 0 : Math.sqrt(square / count)))];
    }),
  );
}

/** One modality of a dialogue. */
interface Rows {
  /** `[utterances, dim]` */
  readonly features: Float32Array;
  /** `[utterances]` */
  readonly present: Uint8Array;
}

/** @param change gives a modality's new rows; undefined leaves them as they are */
function withModalities(
  dialogue: Dialogue,
  modalities: readonly ModalityInfo[],
  change: (info: ModalityInfo) => Rows | undefined,
): Dialogue {
  const features = { ...dialogue.features };
  const present = { ...dialogue.present };
  for (const info of modalities) {
    const rows = change(info);
    if (rows !== undefined) {
      features[info.name] = rows.features;
      present[info.name] = rows.present;
    }
  }
  return { ...dialogue, features, present };
}

/** Missing utterances are zeros, as in a feature folder. */
function removed(
  { features, present }: Dialogue,
  { name, dim }: ModalityInfo,
  isMissing: (utterance: number) => boolean,
): Rows {
  const rows = { features: (features[name] ?? new Float32Array()).slice(), present: (present[name] ?? []).slice() };
  rows.present.forEach((_, utterance) => {
    if (isMissing(utterance)) {
      rows.features.fill(0, utterance * dim, (utterance + 1) * dim);
      rows.present[utterance] = 0;
    }
  });
  return rows as Rows;
}

function noised(
  { features, present }: Dialogue,
  { name, dim }: ModalityInfo,
  level: number,
  deviations: Deviations,
  key: Key,
): Rows {
  const values = (features[name] ?? new Float32Array()).slice();
  const observed = present[name] ?? new Uint8Array();
  const noise = drawNormal(key, values.length);
  const deviation = deviations[name] ?? new Float64Array(dim);
  values.forEach((value, at) => {
    if (observed[Math.floor(at / dim)] === 1) {
      values[at] = value + level * (deviation[at % dim] ?? 0) * (noise[at] ?? 0);
    }
  });
  return { features: values, present: observed };
}

function shuffled(
  dialogues: readonly Dialogue[],
  modalities: readonly ModalityInfo[],
  modality: string,
  key: Key,
): Dialogue[] {
  const all = dialogues.flatMap(({ features, present, speakers }) => {
    const values = features[modality] ?? new Float32Array();
    const dim = values.length / speakers.length;
    return Array.from(speakers, (_, row) => ({
      values: values.subarray(row * dim, (row + 1) * dim),
      observed: present[modality]?.[row] ?? 0,
    }));
  });
  const order = drawPermutation(key, all.length);
  let next = 0;
  return dialogues.map((dialogue) =>
    withModalities(dialogue, modalities, ({ name, dim }) => {
      if (name !== modality) {
        return undefined;
      }
      const count = dialogue.speakers.length;
      const rows = { features: new Float32Array(count * dim), present: new Uint8Array(count) };
      for (let row = 0; row < count; row++) {
        const from = all[order[next++] ?? 0];
        rows.features.set(from?.values ?? [], row * dim);
        rows.present[row] = from?.observed ?? 0;
      }
      return rows;
    }),
  );
}
