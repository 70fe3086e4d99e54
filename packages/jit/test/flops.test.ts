// One definition of cost, by hand: a multiplication with its addition is 2, everything else that computes is 1 an element.
import {
  add,
  avgPool,
  conv1d,
  conv2d,
  greater,
  matMul,
  memory,
  mul,
  relu,
  reshape,
  setBackend,
  softmax,
  sum,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  transpose,
  where,
} from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { countFlops, placeholder } from "../src/flops.ts";
import "./support.ts";

const x = placeholder([5, 4]) as Tensor2D;
const w = placeholder([4, 3]) as Tensor2D;
const image = placeholder([2, 6, 6, 3]) as Tensor4D;

describe("floating-point operations", () => {
  beforeAll(() => setBackend("cpu"));

  it("of products are twice the multiplications, whatever is transposed", () => {
    const products = { products: 2 * 5 * 3 * 4, elementwise: 0 };
    expect(countFlops((a: Tensor2D, b: Tensor2D) => matMul(a, b), x, w)).toEqual(products);
    const turned = placeholder([3, 4]) as Tensor2D;
    expect(countFlops((a: Tensor2D, b: Tensor2D) => matMul(a, b, false, true), x, turned)).toEqual(products);
    const batched = [placeholder([7, 5, 4]), placeholder([7, 4, 3])] as const;
    expect(countFlops((a, b) => matMul(a, b), ...batched).products).toBe(7 * products.products);
  });

  it("of convolutions are those of their windows", () => {
    const filter = placeholder([3, 3, 3, 8]) as Tensor4D;
    expect(countFlops((a: Tensor4D, f: Tensor4D) => conv2d(a, f, 1, "valid"), image, filter).products).toBe(
      2 * (2 * 4 * 4 * 8) * (3 * 3 * 3),
    );
    const [sequence, kernel] = [placeholder([2, 9, 4]) as Tensor3D, placeholder([3, 4, 6]) as Tensor3D];
    expect(countFlops((a: Tensor3D, f: Tensor3D) => conv1d(a, f, 1, "same"), sequence, kernel).products).toBe(
      2 * (2 * 9 * 6) * (3 * 4),
    );
  });

  it("of everything else are one an element; copies and selections are free", () => {
    expect(countFlops((a: Tensor2D) => relu(mul(a, a)), x)).toEqual({ products: 0, elementwise: 2 * 20 });
    expect(countFlops((a: Tensor2D) => sum(a, 1), x)).toEqual({ products: 0, elementwise: 20 });
    expect(countFlops((a: Tensor2D) => softmax(a), x)).toEqual({ products: 0, elementwise: 5 * 20 });
    expect(countFlops((a: Tensor4D) => avgPool(a, 2, 2, "valid"), image).elementwise).toBe(4 * (2 * 3 * 3 * 3));
    const free = (a: Tensor2D) => where(greater(a, 0), reshape(transpose(a), [5, 4]), a);
    expect(countFlops(free, x)).toEqual({ products: 0, elementwise: 0 });
  });

  it("count what is used, once, and no constants", () => {
    const twice = (a: Tensor2D, b: Tensor2D) => {
      add(a, 1); // used by nobody
      return add(matMul(a, b), matMul(a, b));
    };
    expect(countFlops(twice, x, w)).toEqual({ products: 120, elementwise: 15 });
  });

  it("leave no tensor behind, and name what cannot be traced", () => {
    const before = memory().numTensors;
    countFlops((a: Tensor2D, b: Tensor2D) => matMul(a, b), x, w);
    expect(() => countFlops((a: Tensor2D) => add(a, a.dataSync()[0] ?? 0), x)).toThrow(
      expect.objectContaining({ code: "read" }),
    );
    expect(memory().numTensors).toBe(before);
  });
});
