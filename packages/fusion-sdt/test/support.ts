// What the tests of this package share: engines, packed inputs around plain streams, deterministic numbers, and a
// comparison that takes NaN for unequal.
import { createEagerEngine, createLayout, type EagerBackend, type Inputs } from "@merclab/core";
import { ones, type Tensor1D, type Tensor2D, tensor2d, zeros } from "@tensorflow/tfjs-core";
import { expect } from "vitest";

export const ENGINES: readonly EagerBackend[] = ["cpu", "wasm"];

export async function startEngine(backend: EagerBackend): Promise<void> {
  await createEagerEngine(backend).start();
}

export type Rows = readonly (readonly number[])[];

/** Rows per modality. */
export type HostStreams = Readonly<Record<string, Rows>>;

export function toStreams(streams: HostStreams): Record<string, Tensor2D> {
  return Object.fromEntries(Object.entries(streams).map(([name, rows]) => [name, toMatrix(rows)]));
}

export function toMatrix(rows: Rows): Tensor2D {
  return tensor2d(
    rows.map((row) => [...row]),
    [rows.length, rows[0]?.length ?? 0],
  );
}

/** One dialogue; the parts under test look at streams and targets only. */
export function inputsOf(streams: Readonly<Record<string, Tensor2D>>): Inputs {
  const tokens = Object.values(streams)[0]?.shape[0] ?? 0;
  return {
    features: streams,
    present: Object.fromEntries(Object.keys(streams).map((name) => [name, ones([tokens]) as Tensor1D])),
    speakers: zeros([tokens], "int32") as Tensor1D,
    layout: createLayout([tokens]),
  };
}

/** Deterministic rows in about [−1, 1]. */
export function wave(count: number, dim: number, phase = 0): number[][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: dim }, (_, k) => Math.sin(1.7 * (i + 1) + 0.9 * (k + 1) * (k + 2) + 2.3 * phase)),
  );
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** W·x + b with W as rows. */
export function affine(weight: Rows, bias: readonly number[], x: readonly number[]): number[] {
  return weight.map((row, o) => sum(row.map((w, i) => w * (x[i] ?? 0))) + (bias[o] ?? 0));
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
