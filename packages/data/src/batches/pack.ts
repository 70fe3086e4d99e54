// Dialogues to one packed batch, on the host and as tensors, and results back to dialogues.
import {
  type Bucket,
  createLayout,
  type Dialogue,
  hasVisibleLabels,
  type Inputs,
  type Labels,
  layoutTensors,
  type ModalityInfo,
  type Targets,
} from "@merclab/core";
import { dispose, type Tensor, type Tensor1D, type Tensor2D, tensor1d, tensor2d } from "@tensorflow/tfjs-core";

/** A packed batch on the host: utterances lie end to end, padding tokens (all zeros) last. */
export interface HostBatch {
  readonly lengths: readonly number[];
  readonly tokens: number;
  /** Per modality, row-major `[tokens, dim]`. */
  readonly features: Readonly<Record<string, Float32Array>>;
  /** Per modality `[tokens]`: 1 = observed. */
  readonly present: Readonly<Record<string, Float32Array>>;
  /** `[tokens]` */
  readonly speakers: Int32Array;
  /** In the form of the task, zeros on padding tokens; absent when a dialogue's labels are sealed. */
  readonly labels?: Labels;
}

/** A packed batch as tensors. Whoever packs it disposes it. */
export interface PackedBatch {
  readonly inputs: Inputs;
  /** Absent when a dialogue's labels are sealed. */
  readonly targets?: Targets;
  dispose(): void;
}

export function packHostBatch(
  dialogues: readonly Dialogue[],
  modalities: readonly ModalityInfo[],
  bucket: Pick<Bucket, "tokens"> = {},
): HostBatch {
  const lengths = dialogues.map(({ speakers }) => speakers.length);
  const tokens = bucket.tokens ?? lengths.reduce((sum, length) => sum + length, 0);
  const labelled = dialogues.every(hasVisibleLabels);
  const features: Record<string, Float32Array> = {};
  const present: Record<string, Float32Array> = {};
  for (const { name, dim } of modalities) {
    features[name] = endToEnd(new Float32Array(tokens * dim), dialogues, ({ features }) => features[name], name);
    present[name] = endToEnd(new Float32Array(tokens), dialogues, ({ present }) => present[name], name);
  }
  const speakers = endToEnd(new Int32Array(tokens), dialogues, (dialogue) => dialogue.speakers, "speakers");
  const batch = { lengths, tokens, features, present, speakers };
  if (!labelled) {
    return batch;
  }
  return { ...batch, labels: endToEnd(emptyLabels(dialogues, tokens), dialogues, ({ labels }) => labels, "labels") };
}

/** Zeros in the form of the dialogues' labels. */
function emptyLabels(dialogues: readonly Dialogue[], tokens: number): Labels {
  const first = dialogues[0]?.labels;
  if (first instanceof Uint8Array) {
    return new Uint8Array((tokens * first.length) / (dialogues[0]?.speakers.length ?? 1));
  }
  return first instanceof Float32Array ? new Float32Array(tokens) : new Int32Array(tokens);
}

/** Packs dialogues into the tensors that a model and a loss take. */
export function packBatch(
  dialogues: readonly Dialogue[],
  modalities: readonly ModalityInfo[],
  bucket: Bucket = {},
): PackedBatch {
  const host = packHostBatch(dialogues, modalities, bucket);
  const layout = createLayout(host.lengths, bucket);
  const features: Record<string, Tensor2D> = {};
  const present: Record<string, Tensor1D> = {};
  for (const { name, dim } of modalities) {
    features[name] = tensor2d(host.features[name] ?? [], [host.tokens, dim]);
    present[name] = tensor1d(host.present[name] ?? []);
  }
  const inputs: Inputs = { features, present, speakers: tensor1d(host.speakers, "int32"), layout };
  const tensors: Tensor[] = [...Object.values(features), ...Object.values(present), inputs.speakers];
  tensors.push(...layoutTensors(layout));
  if (host.labels === undefined) {
    return { inputs, dispose: () => dispose(tensors) };
  }
  const targets = packTargets(host.labels, layout.tokenMask);
  tensors.push(...Object.values(targets));
  return { inputs, targets, dispose: () => dispose(tensors) };
}

function packTargets(labels: Labels, tokenMask: Tensor1D): Targets {
  const mask = tokenMask.clone();
  if (labels instanceof Int32Array) {
    return { labels: tensor1d(labels, "int32"), mask };
  }
  const tokens = mask.shape[0];
  return labels instanceof Float32Array
    ? { scores: tensor1d(labels), mask }
    : { held: tensor2d(Float32Array.from(labels), [tokens, labels.length / tokens]), mask };
}

/**
 * Splits rows of a packed result, e.g. probabilities, by dialogue.
 *
 * @param rows row-major `[tokens, width]`; padding tokens are dropped
 * @returns per dialogue `[utterances, width]`
 */
export function unpackRows(rows: Float32Array, width: number, lengths: readonly number[]): Float32Array[] {
  let at = 0;
  return lengths.map((length) => {
    const part = rows.slice(at, at + length * width);
    at += part.length;
    return part;
  });
}

/** Arrays end to end: what undoes `unpackRows`. */
export function packRows(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Copies one array per dialogue into `out`, end to end. */
function endToEnd<T extends Labels>(
  out: T,
  dialogues: readonly Dialogue[],
  select: (dialogue: Dialogue) => ArrayLike<number> | undefined,
  what: string,
): T {
  let at = 0;
  for (const dialogue of dialogues) {
    const part = select(dialogue);
    if (part === undefined) {
      throw new RangeError(`packBatch: dialogue "${dialogue.id}" has no ${what}`);
    }
    if (at + part.length > out.length) {
      throw new RangeError(`packBatch: ${what} of dialogue "${dialogue.id}" do not fit the batch`);
    }
    out.set(part, at);
    at += part.length;
  }
  return out;
}
