// What the tests of this package share: a batch from plain arrays, one run of the fusion, and a comparison that takes
// NaN for unequal.
import {
  type Context,
  createEagerEngine,
  createLayout,
  type EagerBackend,
  type FusionSite,
  foldKey,
  keyFromSeed,
  normal,
} from "@merclab/core";
import { type Tensor, type Tensor1D, tensor1d, tensor2d, tidy, zeros } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { createLmam, lmamOptions } from "../src/index.ts";

export const ENGINES: readonly EagerBackend[] = ["cpu", "wasm"];

export async function startEngine(backend: EagerBackend): Promise<void> {
  await createEagerEngine(backend).start();
}

/** A matrix as rows. */
export type Rows = readonly (readonly number[])[];

/** Parameters on the host, by name. */
export type Values = Readonly<Record<string, Rows | readonly number[]>>;

export interface Batch {
  readonly lengths: readonly number[];
  /** Rows of all dialogues, end to end, per modality. */
  readonly features: Readonly<Record<string, Rows>>;
  /** Per modality, one entry per row; everything is observed where absent. */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  readonly bucket?: { readonly tokens?: number; readonly time?: number };
}

export interface RunOptions {
  readonly options?: Readonly<Record<string, unknown>>;
  /** Parameters by name; drawn from `seed` where absent. */
  readonly parameters?: Values;
  readonly seed?: number;
  readonly context?: Context;
}

export interface Ran {
  /** Rows of the real tokens. */
  readonly fused: number[][];
  /** All tokens, padding included. */
  readonly all: number[][];
  readonly shown: Readonly<Record<string, number[][][]>>;
}

export function site(batch: Batch): FusionSite {
  const modalities = Object.keys(batch.features);
  return { modalities, dim: batch.features[modalities[0] ?? ""]?.[0]?.length ?? 0 };
}

/** The batch as tensors. Padding tokens carry 7s, which must not be seen. */
export function toInputs(batch: Batch) {
  const used = batch.lengths.reduce((sum, length) => sum + length, 0);
  const layout = createLayout(batch.lengths, batch.bucket);
  const names = Object.keys(batch.features);
  const features = Object.fromEntries(
    names.map((name) => {
      const rows = batch.features[name] ?? [];
      const dim = rows[0]?.length ?? 0;
      const filled = Array.from({ length: layout.tokens }, (_, i) => [...(rows[i] ?? Array(dim).fill(7))]);
      return [name, tensor2d(filled, [layout.tokens, dim])];
    }),
  );
  const present: Record<string, Tensor1D> = Object.fromEntries(
    names.map((name) => {
      const observed = batch.present?.[name] ?? Array(used).fill(1);
      return [name, tensor1d(Array.from({ length: layout.tokens }, (_, i) => observed[i] ?? 0))];
    }),
  );
  return { features, present, speakers: zeros([layout.tokens], "int32") as Tensor1D, layout };
}

export function toTensors(given: Values): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(given).map(([name, values]) => [
      name,
      Array.isArray(values[0]) ? tensor2d(values as number[][]) : tensor1d(values as number[]),
    ]),
  );
}

/** Declared parameters on the host, away from zeros and from a near-zero weight so that everything matters. */
export function drawValues(options: Readonly<Record<string, unknown>>, at: FusionSite, seed = 1): Values {
  const fusion = createLmam(lmamOptions.parse({ initStddev: 0.3, ...options }), at);
  const key = keyFromSeed(seed);
  return Object.fromEntries(
    fusion.parameters.map(({ name, shape, initial }) => {
      const own = foldKey(key, name);
      const draw = /^lmam\.c(\.|$)/.test(name) ? normal(0.3) : initial;
      return [name, toRows(draw(own, shape), shape)];
    }),
  );
}

export function toRows(data: Float32Array, shape: readonly number[]): Rows | readonly number[] {
  const [rows = 0, columns] = shape;
  return columns === undefined
    ? [...data]
    : Array.from({ length: rows }, (_, i) => [...data.slice(i * columns, (i + 1) * columns)]);
}

export function runLmam(batch: Batch, { options = {}, parameters, seed, context = {} }: RunOptions = {}): Ran {
  return tidy(() => {
    const at = site(batch);
    const fusion = createLmam(lmamOptions.parse(options), at);
    const inputs = toInputs(batch);
    const values = toTensors(parameters ?? drawValues(options, at, seed));
    const { fused, shown = {} } = fusion.apply(values, inputs.features, inputs, context);
    expect(fused.shape).toEqual([inputs.layout.tokens, fusion.dim]);
    const all = fused.arraySync();
    const used = batch.lengths.reduce((sum, length) => sum + length, 0);
    return {
      fused: all.slice(0, used),
      all,
      shown: Object.fromEntries(Object.entries(shown).map(([name, map]) => [name, map.arraySync() as number[][][]])),
    };
  });
}

type Nested = number | readonly Nested[];

/** Every number within `tolerance`; NaN and infinities never are. */
export function expectClose(actual: Nested, expected: Nested, tolerance = 1e-5): void {
  const got = flatten(actual);
  const want = flatten(expected);
  expect(got.length).toBe(want.length);
  const worst = Math.max(0, ...got.map((value, i) => Math.abs(value - (want[i] ?? Number.NaN))));
  expect(got.every(Number.isFinite) && want.every(Number.isFinite), `finite: ${got}`).toBe(true);
  expect(worst, `worst difference of ${got} from ${want}`).toBeLessThanOrEqual(tolerance);
}

export function flatten(values: Nested): number[] {
  return typeof values === "number" ? [values] : values.flatMap(flatten);
}

/** Deterministic rows in about [−1, 1]. */
export function wave(count: number, dim: number, phase = 0): number[][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: dim }, (_, k) => Math.sin(1.7 * (i + 1) + 0.9 * (k + 1) * (k + 2) + 2.3 * phase)),
  );
}

/** Every allowed combination of mode, sharing and kind of weight; ranks are for width 4. */
export function structures(): Record<string, unknown>[] {
  const kinds = [
    { bias: "feature" },
    { bias: "none" },
    ...["model", "rank"].flatMap((valueSpace) => [
      { rank: 2, valueSpace, bias: "rank" },
      { rank: 2, valueSpace, bias: "feature" },
      { rank: 2, valueSpace, bias: "none" },
      { rank: 2, valueSpace, augment: "both" },
      { rank: 2, valueSpace, augment: "both", bias: "feature" },
    ]),
  ];
  const modes = [
    { mode: "anchorMemory", sharing: "all" },
    { mode: "anchorMemory", sharing: "perQueryModality" },
    { mode: "allPairs", sharing: "all" },
    { mode: "allPairs", sharing: "perQueryModality" },
    { mode: "allPairs", sharing: "perPair" },
    { mode: "anchorQuery", sharing: "all" },
    { mode: "anchorQuery", sharing: "perPair" },
  ];
  return modes.flatMap((mode) => kinds.map((kind) => ({ ...mode, ...kind })));
}
