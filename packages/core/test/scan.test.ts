// A scan against the same recurrence unrolled on tfjs's tape: values and gradients. Compiled scans are in
// test/host-contract.test.ts at the root, PyTorch's LSTM and GRU in the tests of packages/encoders.
import { drawNormal, type EagerBackend, fastTanh, keyFromSeed, type Scan, scan } from "@merclab/core";
import {
  add,
  dispose,
  engine,
  matMul,
  memory,
  mul,
  reshape,
  slice,
  split,
  stack,
  sub,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { onBackend } from "./support/backends.ts";
import { expectClose, valuesOf } from "./support/tensors.ts";

const draw = (seed: number, ...shape: number[]) =>
  tensor(
    [
      ...drawNormal(
        keyFromSeed(seed),
        shape.reduce((size, dim) => size * dim, 1),
      ),
    ],
    shape,
  );

/** The same without a gradient of its own: every step lies on the tape. */
function unrolled({ carry, inputs, fixed = [], products, step }: Scan): Tensor {
  let state = carry.map((shape) => zeros([...shape]) as Tensor);
  const parts = (of: readonly Tensor[], t: number) =>
    of.map((each) => {
      const [, ...shape] = each.shape;
      return reshape(slice(each, [t, ...shape.map(() => 0)], [1, ...shape]), shape);
    });
  const outputs = Array.from({ length: (inputs[0] as Tensor).shape[0] ?? 0 }, (_, t) => {
    const next = step({
      carry: state,
      inputs: parts(inputs, t),
      fixed: parts(fixed, t),
      product: (at, x) => {
        const { weight, bias } = products[at] as Scan["products"][number];
        const product = matMul(x, weight);
        return bias === undefined ? product : add(product, bias);
      },
    });
    state = [...next.carry];
    return next.output;
  });
  return stack(outputs);
}

/** Two carries of different shapes, two inputs, a mask, and products with and without bias. */
const step: Scan["step"] = ({ carry, inputs, fixed, product }) => {
  const [a, b] = carry as [Tensor, Tensor];
  const [x, y] = inputs as [Tensor, Tensor];
  const [mask] = fixed as [Tensor];
  const [toA, toB] = split(product(0, a), 2, a.shape.length - 1) as [Tensor, Tensor];
  const nextA = fastTanh(add(add(x, toA), mul(product(1, b), 0.5)));
  const nextB = add(b, mul(sub(mul(y, add(toB, 1)), b), mask));
  return { carry: [add(a, mul(sub(nextA, a), mask)), nextB], output: mul(nextA, nextB) };
};

const CASES: Readonly<Record<string, () => Tensor[]>> = {
  "one batch": () => [
    draw(1, 4, 2, 3),
    draw(2, 4, 2, 3),
    draw(3, 3, 6),
    draw(4, 3, 3),
    draw(5, 6),
    tensor([1, 1, 1, 0, 0, 1, 0, 1], [4, 2, 1]),
  ],
  "sequences with weights of their own": () => [
    draw(1, 3, 2, 2, 3),
    draw(2, 3, 2, 2, 3),
    draw(3, 2, 3, 6),
    draw(4, 2, 3, 3),
    draw(5, 2, 1, 6),
    tensor([1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1], [3, 2, 2, 1]),
  ],
  "one step": () => [
    draw(1, 1, 2, 3),
    draw(2, 1, 2, 3),
    draw(3, 3, 6),
    draw(4, 3, 3),
    draw(5, 6),
    tensor([1, 0], [1, 2, 1]),
  ],
};

function problem([x, y, w0, w1, bias, mask]: readonly Tensor[]): Scan {
  const shape = (x as Tensor).shape.slice(1);
  return {
    carry: [shape, shape],
    inputs: [x as Tensor, y as Tensor],
    fixed: [mask as Tensor],
    products: [{ weight: w0 as Tensor, bias: bias as Tensor }, { weight: w1 as Tensor }],
    step,
  };
}

describe.each(["cpu", "wasm"] as const)("a scan on %s", (backend: EagerBackend) => {
  it.each(Object.entries(CASES))("%s: values and gradients of the unrolled steps", async (_, make) => {
    await onBackend(backend, () => {
      const given = make();
      const upstream = draw(9, ...(given[0] as Tensor).shape);
      const run = (fn: (given: Scan) => Tensor) => {
        const { value, grads } = engine().gradients(
          () => sum(mul(fn(problem(given)), upstream)),
          given.slice(0, 5),
          undefined,
          true,
        );
        return { output: fn(problem(given)), value, grads: grads as (Tensor | null)[] };
      };
      const [expected, found] = [run(unrolled), run(scan)];
      expectClose(valuesOf(found.output), valuesOf(expected.output), { what: "output" });
      expect(found.grads.every((each) => each !== null)).toBe(true);
      found.grads.forEach((gradient, i) => {
        const wanted = expected.grads[i] as Tensor | null;
        const numbers = wanted === null ? new Array((given[i] as Tensor).size).fill(0) : valuesOf(wanted);
        expectClose(valuesOf(gradient as Tensor), numbers, { atol: 1e-6, what: `gradient ${i}` });
      });
    });
  });

  it("leaves nothing behind, and a gradient that surrounds it goes on", async () => {
    await onBackend(backend, () => {
      const given = CASES["one batch"]?.() ?? [];
      const held = memory().numTensors;
      const { value, grads } = engine().gradients(
        () => {
          const first = scan(problem(given));
          return sum(scan(problem([mul(first, 2), first, ...given.slice(2)])));
        },
        given.slice(0, 5),
        undefined,
        true,
      );
      expect(memory().numTensors).toBe(held + 6);
      dispose([value, grads]);
      expect(memory().numTensors).toBe(held);
    });
  });
});
