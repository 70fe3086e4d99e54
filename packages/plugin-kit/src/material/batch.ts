// Batches from plain arrays, so that a law can pad, permute and spoil them row by row.
import {
  createLayout,
  drawNormal,
  foldKey,
  type Inputs,
  keyFromSeed,
  layoutTensors,
  type Targets,
} from "@merclab/core";
import { dispose, type Tensor1D, tensor1d, tensor2d } from "@tensorflow/tfjs-core";

/** Widths of the features that laws are checked with. */
export const DIMS: Readonly<Record<string, number>> = { text: 6, audio: 5, visual: 4, gaze: 3, pulse: 2 };
export const MODALITIES: readonly string[] = ["text", "audio", "visual"];
export const CLASSES: readonly string[] = ["calm", "glad", "sad"];
/** Utterances of each dialogue. */
export const LENGTHS: readonly number[] = [3, 1, 4];

/** A batch on the host: rows of all dialogues, end to end. */
export interface Batch {
  readonly lengths: readonly number[];
  readonly features: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** Per modality, 1 = observed; all are where absent. */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  readonly speakers: readonly number[];
  readonly labels: readonly number[];
  readonly bucket?: { readonly tokens?: number; readonly time?: number };
}

export function batchOf(
  lengths: readonly number[] = LENGTHS,
  modalities: readonly string[] = MODALITIES,
  seed = 1,
): Batch {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const rows = (name: string) => {
    const dim = DIMS[name] ?? 0;
    const drawn = drawNormal(foldKey(keyFromSeed(seed), name), tokens * dim);
    return Array.from({ length: tokens }, (_, i) => [...drawn.slice(i * dim, (i + 1) * dim)]);
  };
  return {
    lengths,
    features: Object.fromEntries(modalities.map((name) => [name, rows(name)])),
    speakers: Array.from({ length: tokens }, (_, i) => i % 2),
    labels: Array.from({ length: tokens }, (_, i) => (i * i + seed) % CLASSES.length),
  };
}

const OBSERVED: Readonly<Record<string, readonly number[]>> = {
  text: [1, 0, 1, 1, 1, 1, 0, 1],
  audio: [1, 1, 1, 0, 0, 0, 0, 0], // nothing in the second and third dialogue
  visual: [0, 1, 1, 0, 1, 0, 1, 1],
};

/** The batch of three dialogues, text, audio and visual, of which some were not observed. */
export function batchWithHoles(): Batch {
  return { ...batchOf(), present: OBSERVED };
}

/** Rows of a batch chosen by index, in this order. */
export function pickRows(batch: Batch, lengths: readonly number[], order: readonly number[]): Batch {
  const pick = <T>(rows: readonly T[]): T[] => order.map((i) => rows[i] as T);
  const all = <T>(given: Readonly<Record<string, readonly T[]>>) =>
    Object.fromEntries(Object.entries(given).map(([name, rows]) => [name, pick(rows)]));
  return {
    lengths,
    features: all(batch.features),
    ...(batch.present === undefined ? {} : { present: all(batch.present) }),
    speakers: pick(batch.speakers),
    labels: pick(batch.labels),
  };
}

export interface TensorBatch {
  readonly inputs: Inputs;
  readonly targets: Targets;
  dispose(): void;
}

/** What stands in the features of padding tokens, and must not be seen. */
const PADDING = 7;

/** The batch as tensors, which are the caller's. */
export function toTensors(batch: Batch): TensorBatch {
  const layout = createLayout(batch.lengths, batch.bucket);
  const names = Object.keys(batch.features);
  const used = batch.lengths.reduce((sum, length) => sum + length, 0);
  const fill = <T>(rows: readonly T[], padding: T) =>
    Array.from({ length: layout.tokens }, (_, i) => rows[i] ?? padding);
  const features = Object.fromEntries(
    names.map((name) => {
      const rows = batch.features[name] ?? [];
      const dim = rows[0]?.length ?? 0;
      const filled = fill(rows, new Array<number>(dim).fill(PADDING));
      return [name, tensor2d(filled.flat(), [layout.tokens, dim])];
    }),
  );
  const observed = (name: string) => batch.present?.[name] ?? new Array<number>(used).fill(1);
  const present: Record<string, Tensor1D> = Object.fromEntries(
    names.map((name) => [name, tensor1d(fill(observed(name), 0))]),
  );
  const speakers = tensor1d(fill(batch.speakers, 0), "int32");
  const labels = tensor1d(fill(batch.labels, 0), "int32");
  return {
    inputs: { features, present, speakers, layout },
    targets: { labels, mask: layout.tokenMask },
    dispose: () =>
      dispose([...layoutTensors(layout), ...Object.values(features), ...Object.values(present), speakers, labels]),
  };
}
