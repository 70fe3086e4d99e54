// What the contract tests share: models of chosen plugins on batches from plain arrays, evaluated whole.
import {
  corePlugins,
  createLayout,
  createRandomSource,
  drawNormal,
  foldKey,
  type Inputs,
  initialParameters,
  keyFromSeed,
  type Parameters,
  type Plugin,
  type Targets,
} from "@merclab/core";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as ada2iPlugins } from "@merclab/fusion-ada2i";
import { plugins as baselinePlugins } from "@merclab/fusion-baselines";
import { plugins as cmathPlugins } from "@merclab/fusion-cmath";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { createModel, type Model, type ModelParts } from "@merclab/trainer";
import { dispose, type Tensor, type Tensor1D, tensor, tensor1d, tensor2d } from "@tensorflow/tfjs-core";

export const ALL: readonly Plugin[] = [
  ...corePlugins,
  ...encoderPlugins,
  ...sdtPlugins,
  ...lmamPlugins,
  ...ada2iPlugins,
  ...cmathPlugins,
  ...baselinePlugins,
];

type Options = Readonly<Record<string, unknown>>;
type Kind = "encoder" | "fusion" | "objective" | "balancer";

export interface ModelChoice {
  readonly encoder: readonly [string, Options?];
  readonly fusion: readonly [string, Options?];
  readonly objective?: readonly [string, Options?];
  readonly balancer?: readonly [string, Options?];
}

export function partsOf(choice: ModelChoice): ModelParts {
  const part = <K extends Kind>(kind: K, [name, options = {}]: readonly [string, Options?]): ModelParts[K] => {
    const plugin = ALL.find((each) => each.kind === kind && each.name === name);
    if (plugin === undefined) {
      throw new Error(`no ${kind} ${name}`);
    }
    return { plugin, options: plugin.options.parse(options) } as ModelParts[K];
  };
  return {
    encoder: part("encoder", choice.encoder),
    fusion: part("fusion", choice.fusion),
    objective: part("objective", choice.objective ?? ["cross-entropy"]),
    ...(choice.balancer === undefined
      ? {}
      : { balancer: part("balancer", choice.balancer) as NonNullable<ModelParts["balancer"]> }),
  };
}

export const DIMS: Readonly<Record<string, number>> = { text: 6, audio: 5, visual: 4, gaze: 3 };
export const CLASSES = 3;

export function modelOf(choice: ModelChoice, modalities: readonly string[] = ["text", "audio", "visual"]): Model {
  return createModel(partsOf(choice), {
    modalities: modalities.map((name) => ({ name, dim: DIMS[name] ?? 2 })),
    numSpeakers: 2,
    task: { type: "single-label", classes: ["calm", "glad", "sad"] },
    trainClassCounts: [3, 2, 4],
    trainUtterances: 9,
  });
}

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
  lengths: readonly number[],
  modalities: readonly string[] = ["text", "audio", "visual"],
  seed = 1,
): Batch {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const rows = (name: string) => {
    const dim = DIMS[name] ?? 2;
    const drawn = drawNormal(foldKey(keyFromSeed(seed), name), tokens * dim);
    return Array.from({ length: tokens }, (_, i) => [...drawn.slice(i * dim, (i + 1) * dim)]);
  };
  return {
    lengths,
    features: Object.fromEntries(modalities.map((name) => [name, rows(name)])),
    speakers: Array.from({ length: tokens }, (_, i) => i % 2),
    labels: Array.from({ length: tokens }, (_, i) => (i * i + seed) % CLASSES),
  };
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

/** The batch as tensors, which are the caller's. Padding tokens carry 7s, which must not be seen. */
export function toTensors(batch: Batch): { inputs: Inputs; targets: Targets; dispose(): void } {
  const layout = createLayout(batch.lengths, batch.bucket);
  const names = Object.keys(batch.features);
  const fill = <T>(rows: readonly T[], padding: T) =>
    Array.from({ length: layout.tokens }, (_, i) => rows[i] ?? padding);
  const features = Object.fromEntries(
    names.map((name) => {
      const rows = batch.features[name] ?? [];
      const dim = rows[0]?.length ?? 0;
      return [
        name,
        tensor2d(
          fill(
            rows.map((row) => [...row]),
            new Array(dim).fill(7),
          ),
          [layout.tokens, dim],
        ),
      ];
    }),
  );
  const used = batch.lengths.reduce((sum, length) => sum + length, 0);
  const present: Record<string, Tensor1D> = Object.fromEntries(
    names.map((name) => [name, tensor1d(fill(batch.present?.[name] ?? new Array(used).fill(1), 0))]),
  );
  const speakers = tensor1d(fill(batch.speakers, 0), "int32");
  const labels = tensor1d(fill(batch.labels, 0), "int32");
  const { toPadded, toPacked, mask, tokenMask, positions } = layout;
  return {
    inputs: { features, present, speakers, layout },
    targets: { labels, mask: tokenMask },
    dispose: () => {
      dispose([toPadded, toPacked, mask, tokenMask, positions, speakers, labels]);
      dispose([...Object.values(features), ...Object.values(present)]);
    },
  };
}

/** Initial values made larger where they are tiny, so that everything matters. */
export function drawnParameters(model: Model, seed = 5): Record<string, Tensor> {
  const key = keyFromSeed(seed);
  const initial = initialParameters(model.parameters, key);
  return Object.fromEntries(
    model.parameters.map(({ name, shape, frozen }) => {
      const start = initial[name] as Tensor;
      if (frozen === true) {
        return [name, start];
      }
      const noise = drawNormal(foldKey(key, "spread", name), start.size);
      const values = start.dataSync().map((value, i) => value + 0.15 * (noise[i] ?? 0));
      start.dispose();
      return [name, tensor(values, [...shape])];
    }),
  );
}

export const randomOf = (seed: number) => createRandomSource(keyFromSeed(seed));

/** Logits of the real tokens in evaluation, `[tokens][classes]`. */
export function logitsOf(model: Model, parameters: Parameters, batch: Batch): number[][] {
  const made = toTensors(batch);
  const logits = model.logits(parameters, made.inputs, {});
  const rows = logits.arraySync();
  logits.dispose();
  made.dispose();
  return rows.slice(
    0,
    batch.lengths.reduce((sum, length) => sum + length, 0),
  );
}
