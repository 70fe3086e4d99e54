// What the tests of this package share: a batch from plain arrays, one run of the fusion, and a comparison that takes
// NaN for unequal.
import {
  type Context,
  createEagerEngine,
  createLayout,
  type EagerBackend,
  type FusionSite,
  foldKey,
  initialParameters,
  keyFromSeed,
  type Parameters,
} from "@merclab/core";
import { ones, type Tensor, type Tensor1D, tensor1d, tensor2d, tidy, zeros } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { createLmam, lmamOptions } from "../src/index.ts";

export const ENGINES: readonly EagerBackend[] = ["cpu", "wasm"];

export async function startEngine(backend: EagerBackend): Promise<void> {
  await createEagerEngine(backend).start();
}

/** A matrix as rows. */
export type Rows = readonly (readonly number[])[];

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
  readonly parameters?: Readonly<Record<string, Rows | readonly number[]>>;
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

export function toTensors(given: Readonly<Record<string, Rows | readonly number[]>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(given).map(([name, values]) => [
      name,
      Array.isArray(values[0]) ? tensor2d(values as number[][]) : tensor1d(values as number[]),
    ]),
  );
}

/** Declared parameters, moved away from zeros and from a near-zero weight so that everything matters. */
export function drawParameters(options: Readonly<Record<string, unknown>>, at: FusionSite, seed = 1): Parameters {
  const fusion = createLmam(lmamOptions.parse({ initStddev: 0.3, ...options }), at);
  const key = keyFromSeed(seed);
  const specs = fusion.parameters.map((spec) => {
    const initial = spec.name.includes(".c") ? drawSmall : spec.initial;
    return { ...spec, initial };
  });
  return initialParameters(specs, foldKey(key, "parameters"));
}

function drawSmall(_key: unknown, shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: shape[0] ?? 0 }, (_, i) => 0.3 * Math.cos(i + 1));
}

export function runLmam(batch: Batch, { options = {}, parameters, seed, context = {} }: RunOptions = {}): Ran {
  return tidy(() => {
    const at = site(batch);
    const fusion = createLmam(lmamOptions.parse(options), at);
    const inputs = toInputs(batch);
    const values = parameters === undefined ? drawParameters(options, at, seed) : toTensors(parameters);
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

export function onesLike(count: number): Tensor {
  return ones([count]);
}
