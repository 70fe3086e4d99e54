// What the tests of this package share: batches from plain arrays, one run of an encoder, and a comparison that takes
// NaN for unequal.
import {
  type Context,
  createEagerEngine,
  createLayout,
  drawNormal,
  type EagerBackend,
  type Encoder,
  type EncoderSite,
  foldKey,
  type Inputs,
  keyFromSeed,
  type ParameterSpec,
} from "@merclab/core";
import { type Tensor, tensor, tensor1d, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { plugins } from "../src/index.ts";

export const ENGINES: readonly EagerBackend[] = ["cpu", "wasm"];

export async function startEngine(backend: EagerBackend): Promise<void> {
  await createEagerEngine(backend).start();
}

export type Options = Readonly<Record<string, unknown>>;
export type Rows = readonly (readonly number[])[];

export interface Batch {
  readonly lengths: readonly number[];
  /** Rows of all dialogues, end to end, per modality. */
  readonly features: Readonly<Record<string, Rows>>;
  /** Per modality, one entry per row; everything is observed where absent. */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  /** One per row; 0 and 1 in turn where absent. */
  readonly speakers?: readonly number[];
  readonly bucket?: { readonly tokens?: number; readonly time?: number };
}

/** Parameters on the host, by name. */
export type Values = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;

export const NUM_SPEAKERS = 2;

/** Small options of every encoder, and the structures in which they differ. */
export const STRUCTURES: readonly (readonly [encoder: string, options: Options])[] = [
  ["linear", { dim: 3 }],
  ["transformer", { dim: 4, numHeads: 2, feedForwardFactor: 2 }],
  ["transformer", { dim: 4, numHeads: 1, numLayers: 2, feedForwardFactor: 1, speakers: false }],
  ["sdt", { dim: 4, numHeads: 2 }],
  ["sdt", { dim: 4, numHeads: 1, numLayers: 2 }],
  ["sdt", { dim: 4, numHeads: 2, variant: "as-described" }],
  ["sdt", { dim: 4, numHeads: 2, paths: "intra", unimodalGate: "identity" }],
  ["sdt", { dim: 4, numHeads: 4, paths: "inter", numLayers: 3, unimodalGate: "none" }],
  ["sdt", { dim: 4, numHeads: 2, numLayers: 2, positions: false, speakers: false }],
];

/** The recurrent and graph encoders, whose reference values are PyTorch's. */
export const HOSTS: readonly (readonly [encoder: string, options: Options])[] = [
  ["bc-lstm", { dim: 4, numLayers: 2 }],
  ["bc-lstm", { dim: 2, input: "concatenated" }],
  ["dialogue-rnn", { dim: 3, globalDim: 2, partyDim: 4 }],
  ["dialogue-rnn", { dim: 4, globalDim: 2, partyDim: 2, bidirectional: true, listener: true, input: "per-modality" }],
  ["dialogue-gcn", { dim: 4, past: 1, future: 1 }],
  ["dialogue-gcn", { dim: 6, graphDim: 2, past: null, numBases: 2, input: "per-modality", context: "lstm" }],
  ["mmgcn", { dim: 8, numLayers: 2 }],
];

export function site(batch: Batch): EncoderSite {
  return {
    modalities: Object.entries(batch.features).map(([name, rows]) => ({ name, dim: rows[0]?.length ?? 0 })),
    numSpeakers: NUM_SPEAKERS,
  };
}

export function createEncoder(name: string, options: Options, at: EncoderSite): Encoder {
  const plugin = plugins.find((each) => each.kind === "encoder" && each.name === name);
  if (plugin === undefined) {
    throw new Error(`no encoder ${name}`);
  }
  return plugin.create(plugin.options.parse(options), at as never) as Encoder;
}

/** Values around the declared ones, so that norms, biases and gates matter. */
export function drawValues(specs: readonly ParameterSpec[], seed = 1): Values {
  return Object.fromEntries(
    specs.map(({ name, shape, initial, frozen }) => {
      const key = foldKey(keyFromSeed(seed), name);
      const data = initial(key, shape);
      const noise = drawNormal(foldKey(key, "noise"), data.length);
      const kept = frozen === true && name.endsWith("_gate.fc.weight"); // the identity
      return [name, { shape, data: [...data.map((value, i) => value + (kept ? 0 : 0.2 * (noise[i] ?? 0)))] }];
    }),
  );
}

export function toTensors(values: Values): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(values).map(([name, { shape, data }]) => [name, tensor([...data], [...shape])]),
  );
}

/** The batch as tensors. Padding tokens carry 7s, which must not be seen. */
export function toInputs(batch: Batch): Inputs {
  const used = batch.lengths.reduce((sum, length) => sum + length, 0);
  const layout = createLayout(batch.lengths, batch.bucket);
  const perToken = (given: ArrayLike<number>, padding: number) =>
    Array.from({ length: layout.tokens }, (_, i) => (i < used ? (given[i] ?? 0) : padding));
  const names = Object.keys(batch.features);
  return {
    features: Object.fromEntries(
      names.map((name) => {
        const rows = batch.features[name] ?? [];
        const dim = rows[0]?.length ?? 0;
        const filled = Array.from({ length: layout.tokens }, (_, i) => [...(rows[i] ?? Array<number>(dim).fill(7))]);
        return [name, tensor2d(filled, [layout.tokens, dim])];
      }),
    ),
    present: Object.fromEntries(
      names.map((name) => [name, tensor1d(perToken(batch.present?.[name] ?? Array<number>(used).fill(1), 0))]),
    ),
    speakers: tensor1d(perToken(speakersOf(batch), 0), "int32"),
    layout,
  };
}

export function speakersOf(batch: Batch): readonly number[] {
  const used = batch.lengths.reduce((sum, length) => sum + length, 0);
  return batch.speakers ?? Array.from({ length: used }, (_, i) => i % NUM_SPEAKERS);
}

export interface RunOptions {
  readonly values?: Values;
  readonly context?: Context;
}

/** Rows of the real tokens per modality. */
export type Streams = Readonly<Record<string, number[][]>>;

export function runEncoder(
  [name, options]: readonly [string, Options],
  batch: Batch,
  { values, context = {} }: RunOptions = {},
): Streams {
  return tidy(() => {
    const encoder = createEncoder(name, options, site(batch));
    const inputs = toInputs(batch);
    const streams = encoder.apply(toTensors(values ?? drawValues(encoder.parameters)), inputs, context);
    const used = batch.lengths.reduce((sum, length) => sum + length, 0);
    expect(Object.keys(streams)).toEqual([...encoder.modalities]);
    return Object.fromEntries(
      Object.entries(streams).map(([modality, stream]) => {
        expect(stream.shape).toEqual([inputs.layout.tokens, encoder.dim]);
        return [modality, stream.arraySync().slice(0, used)];
      }),
    );
  });
}

/** Some rows of the batch, as dialogues of other lengths. */
export function pickRows(batch: Batch, lengths: readonly number[], order: readonly number[]): Batch {
  const pick = <T>(rows: readonly T[]): T[] => order.map((i) => rows[i] as T);
  const all = <T>(given: Readonly<Record<string, readonly T[]>>) =>
    Object.fromEntries(Object.entries(given).map(([name, rows]) => [name, pick(rows)]));
  return {
    lengths,
    features: all(batch.features),
    ...(batch.present === undefined ? {} : { present: all(batch.present) }),
    speakers: pick(speakersOf(batch)),
  };
}

/** Deterministic rows in about [−1, 1]. */
export function wave(count: number, dim: number, phase = 0): number[][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: dim }, (_, k) => Math.sin(1.7 * (i + 1) + 0.9 * (k + 1) * (k + 2) + 2.3 * phase)),
  );
}

const WIDTHS: Readonly<Record<string, number>> = { text: 3, audio: 2, visual: 4 };

export function batchOf(lengths: readonly number[], names: readonly string[], phase = 0): Batch {
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return {
    lengths,
    features: Object.fromEntries(
      names.map((name, m) => [name, wave(count, WIDTHS[name] ?? 1 + (m % 3), phase + 5 * m)]),
    ),
  };
}

type Nested = number | readonly Nested[] | Readonly<{ [name: string]: Nested }>;

/** Every number within `tolerance`; NaN and infinities never are. */
export function expectClose(actual: Nested, expected: Nested, tolerance = 1e-5, what = ""): void {
  const got = flatten(actual);
  const want = flatten(expected);
  expect(got.length, what).toBe(want.length);
  expect(got.every(Number.isFinite) && want.every(Number.isFinite), `${what} finite: ${got}`).toBe(true);
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - (want[i] ?? Number.NaN))), 0);
  expect(worst, `${what}: worst difference of ${got} from ${want}`).toBeLessThanOrEqual(tolerance);
}

export function flatten(values: Nested): number[] {
  return typeof values === "number" ? [values] : Object.values(values).flatMap(flatten);
}
