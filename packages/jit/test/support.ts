// A function compiled against the same function run eagerly on tfjs's cpu backend: values and gradients.
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-layers"; // registers the gradients of tfjs's ops
import {
  add,
  dispose,
  engine,
  mul,
  reshape,
  setBackend,
  slice,
  split,
  sum,
  Tensor,
  tensor,
} from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect } from "vitest";
import { type Device, jit, RULES } from "../src/index.ts";
import { FAMILIES } from "../src/rules/index.ts";
import type { Rule } from "../src/rules/rule.ts";
import { webgpuTolerances } from "./webgpu-tolerances.ts";

export type Dtype = "float32" | "int32" | "bool";

export interface Host {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly values: readonly number[];
}

/** A vector of these numbers. */
export const vector = (dtype: Dtype, ...values: readonly number[]): Host => ({ shape: [values.length], dtype, values });

export const toTensor = ({ shape, dtype, values }: Host): Tensor => tensor([...values], [...shape], dtype);

/** Kernels whose rules ran in some trace of this file, and those that a test is named after. */
const ran = new Set<string>();
/** Those of the last trace. */
const traced = new Set<string>();
const named = new Set<string>();
for (const [kernel, rule] of RULES) {
  (RULES as Map<string, Rule>).set(kernel, (call) => {
    ran.add(kernel);
    traced.add(kernel);
    return rule(call);
  });
}

/** Says which kernels a test is about. */
export function cover(...kernels: readonly string[]): string {
  for (const kernel of kernels) {
    named.add(kernel);
  }
  return kernels.join(", ");
}

/** At the end of a file: every kernel of these families has a test, and the tests ran the rules that they name. */
export function expectCovered(...families: readonly string[]): void {
  const kernels = families.flatMap((family) => Object.keys(FAMILIES[family] ?? {}));
  expect(kernels.length).toBeGreaterThan(0);
  expect(kernels.filter((kernel) => !named.has(kernel) || !ran.has(kernel))).toEqual([]);
  expect([...named].filter((kernel) => !ran.has(kernel))).toEqual([]);
}

/** Largest relative difference of a value or gradient, and the absolute one near 0. */
const TOLERANCE = 2e-5;

export function expectSame(actual: Tensor, expected: Tensor, what: string, tolerance = TOLERANCE): void {
  expect([what, actual.dtype, actual.shape]).toEqual([what, expected.dtype, expected.shape]);
  const [got, wanted] = [actual.dataSync(), expected.dataSync()];
  wanted.forEach((value, i) => {
    const found = got[i] as number;
    const near = Object.is(found, value) || found === value || (Number.isNaN(found) && Number.isNaN(value));
    const bound = tolerance * Math.max(1, Math.abs(value));
    expect(near || Math.abs(found - value) <= bound, `${what}[${i}]: ${found}, expected ${value}`).toBe(true);
  });
}

type Fn = (...inputs: Tensor[]) => Tensor | Tensor[];

/** The outputs of `fn`, and, where asked for, the gradients of their weighted sum by each float operand. */
function withGradients(fn: Fn, gradients: boolean) {
  return (...inputs: Tensor[]): { outputs: Tensor[]; gradients: (Tensor | null)[] } => {
    const outputs = [fn(...inputs)].flat();
    if (!gradients) {
      return { outputs, gradients: [] };
    }
    const floats = inputs.filter(({ dtype }) => dtype === "float32");
    const loss = () =>
      [fn(...inputs)]
        .flat()
        .map((output, i) => sum(mul(output, wave(output.shape, i))))
        .reduce((a, b) => add(a, b));
    const { grads } = engine().gradients(loss, floats, undefined, true);
    return { outputs, gradients: grads.map((gradient) => (gradient as Tensor | null | undefined) ?? null) };
  };
}

/** Weights that differ from element to element. */
function wave(shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i + seed)),
    [...shape],
  );
}

interface Agreement {
  /** False for kernels that tfjs has no gradient of, or a wrong one. */
  readonly gradients?: boolean;
  readonly tolerance?: number;
  /** What is compiled, where tfjs's cpu backend needs other words for the same; `fn` where absent. */
  readonly compiled?: Fn;
}

/** What compiled functions run on: a GPU in vitest's project `webgpu`. */
export const DEVICE: Device = process.env.JIT_TEST_DEVICE === "webgpu" ? "webgpu" : "cpu";

/** Runs `fn` eagerly and compiled. */
export async function expectAgreement(
  fn: Fn,
  inputs: readonly Host[],
  { gradients = true, tolerance: asked = TOLERANCE, compiled: compiledFn = fn }: Agreement = {},
): Promise<void> {
  await setBackend("cpu");
  const tensors = inputs.map(toTensor);
  const expected = withGradients(fn, gradients)(...tensors);
  const compiled = jit(withGradients(compiledFn, gradients), { device: DEVICE, threads: 1, optimization: "basic" });
  try {
    traced.clear();
    const actual = await compiled(...tensors);
    const tolerance = Math.max(asked, ...(DEVICE === "webgpu" ? webgpuTolerances(traced) : []));
    expected.outputs.forEach((output, i) => {
      expectSame(actual.outputs[i] as Tensor, output, `output ${i}`, tolerance);
    });
    expected.gradients.forEach((gradient, i) => {
      const found = actual.gradients[i] as Tensor | null;
      expect(found === null).toBe(gradient === null);
      if (gradient !== null && found !== null) {
        expectSame(found, gradient, `gradient ${i}`, tolerance);
      }
    });
    dispose([...actual.outputs, ...actual.gradients.filter((each) => each !== null)]);
  } finally {
    await compiled.dispose();
    dispose([...tensors, ...expected.outputs, ...expected.gradients.filter((each) => each !== null)]);
  }
}

/** Some gradients of tfjs call methods that only the whole of tfjs adds to tensors. */
export function chainOps(): void {
  Object.assign(Tensor.prototype, {
    reshape(this: Tensor, shape: number[]): Tensor {
      return reshape(this, shape);
    },
    slice(this: Tensor, begin: number, size: number): Tensor {
      return slice(this, begin, size);
    },
    split(this: Tensor, count: number, axis: number): Tensor[] {
      return split(this, count, axis);
    },
  });
}

/** Runs of each property; every run compiles a graph of its own. */
export const RUNS = DEVICE === "webgpu" ? 3 : 5;

export const property = <T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  runs = RUNS,
): Promise<void> => fc.assert(fc.asyncProperty(arbitrary, check), { numRuns: runs });

export const shapes = (minRank = 0, maxRank = 3): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: minRank, maxLength: maxRank });

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);

/** Numbers on a grid away from the kinks at 0 and ±1, so that both sides of a comparison agree on them. */
export function hosts(
  shape: readonly number[],
  { min = -3, max = 3, dtype = "float32" as Dtype } = {},
): fc.Arbitrary<Host> {
  const element =
    dtype === "bool"
      ? fc.integer({ min: 0, max: 1 })
      : dtype === "int32"
        ? fc.integer({ min, max })
        : fc.integer({ min: 0, max: 996 }).map((step) => min + ((step + 0.37) / 997) * (max - min));
  return fc
    .array(element, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map((values) => ({ shape, dtype, values }));
}

/** Two shapes that broadcast against each other. */
export const broadcastPairs: fc.Arbitrary<[number[], number[]]> = shapes(1, 3).chain((full) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: full.length }),
      fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      fc.boolean(),
    )
    .map(([dropped, ones, swap]): [number[], number[]] => {
      const other = full.map((dim, i) => (ones[i] === true ? 1 : dim)).slice(dropped);
      return swap ? [other, full] : [full, other];
    }),
);

/** An axis of a rank, from either end. */
export const axes = (rank: number): fc.Arbitrary<number> => fc.integer({ min: -rank, max: rank - 1 });

export const DTYPES: readonly Dtype[] = ["float32", "int32", "bool"];
export const ranked = (min: number, max = 3, dtype: Dtype = "float32") =>
  shapes(min, max).chain((shape) => hosts(shape, { dtype }));

/** The same property of every dtype; gradients of floats. */
export async function everyDtype<T extends readonly [Host, ...unknown[]]>(
  make: (dtype: Dtype) => fc.Arbitrary<T>,
  fn: (x: Tensor, ...rest: T extends readonly [Host, ...infer R] ? R : never) => Tensor | Tensor[],
  gradients = true,
): Promise<void> {
  for (const dtype of DTYPES) {
    await property(make(dtype), ([x, ...rest]) =>
      expectAgreement((a) => fn(a as Tensor, ...(rest as never)), [x as Host], {
        gradients: gradients && dtype === "float32",
      }),
    );
  }
}

export { fc };
