// Rules of matrix products and Einstein sums.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import { cover, expectAgreement, expectCovered, fc, type Host, hosts, property } from "./support.ts";

/** Values too many for a generator. */
function ramp(shape: readonly [number, number]): Host {
  return {
    shape,
    dtype: "float32",
    values: Array.from({ length: shape[0] * shape[1] }, (_, i) => ((i * 37) % 101) / 50 - 1),
  };
}

describe("products", () => {
  const dim = fc.integer({ min: 1, max: 4 });
  const dims = fc.tuple(dim, dim, dim);
  const stacks = fc.constantFrom<[number[], number[]]>(
    [[], []],
    [[2], [2]],
    [
      [2, 3],
      [2, 3],
    ],
    [
      [2, 3],
      [1, 1],
    ],
  );

  it.each(["float32", "int32"] as const)(
    `${cover("BatchMatMul")} of %s, each side as it is or transposed, stacks broadcast`,
    async (dtype) => {
      await property(
        fc
          .tuple(dims, stacks, fc.boolean(), fc.boolean())
          .chain(([[m, k, n], [outerA, outerB], ta, tb]) =>
            fc.tuple(
              hosts([...outerA, ...(ta ? [k, m] : [m, k])], { dtype }),
              hosts([...outerB, ...(tb ? [n, k] : [k, n])], { dtype }),
              fc.constant([ta, tb] as const),
            ),
          ),
        ([a, b, [ta, tb]]) => {
          const sameStacks = a.shape.slice(0, -2).join() === b.shape.slice(0, -2).join();
          return expectAgreement((x, y) => tf.matMul(x as tf.Tensor, y as tf.Tensor, ta, tb), [a, b], {
            gradients: dtype === "float32" && sameStacks, // tfjs's own gradient does not sum over broadcast stacks
          });
        },
      );
    },
  );

  it("products with a transposed side, moved first where the product is large", async () => {
    const [x, y, z] = [513, 512, 4].map((columns) => ramp([3, columns])) as [Host, Host, Host];
    await expectAgreement(
      (a, b, c) => [tf.matMul(a as tf.Tensor, b as tf.Tensor, true), tf.matMul(a as tf.Tensor, c as tf.Tensor, true)],
      [x, y, z],
    );
  });

  it("dot, outerProduct", async () => {
    await property(fc.tuple(hosts([3]), hosts([3]), hosts([3, 2])), (list) =>
      expectAgreement(
        (a, b, c) => [
          tf.dot(a as tf.Tensor, b as tf.Tensor),
          tf.dot(a as tf.Tensor, c as tf.Tensor),
          tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D),
        ],
        list,
      ),
    );
  });

  it.each(["linear", "relu", "elu", "relu6", "sigmoid", "leakyrelu", "prelu"] as const)(
    `${cover("_FusedMatMul")} with %s`,
    async (activation) => {
      await property(fc.tuple(hosts([3, 2]), hosts([2, 4]), hosts([4])), (list) =>
        expectAgreement(
          (a, b, bias) =>
            tf.fused.matMul({
              a: a as tf.Tensor,
              b: b as tf.Tensor,
              bias: bias as tf.Tensor,
              activation,
              ...(activation === "prelu" ? { preluActivationWeights: bias as tf.Tensor } : {}),
              leakyreluAlpha: 0.2,
            }),
          list,
          // tfjs's fused gradients end at these activations
          { gradients: ["linear", "relu", "elu", "relu6"].includes(activation) },
        ),
      );
    },
  );
});

describe("Einstein sums", () => {
  const sizes: Readonly<Record<string, number>> = { b: 2, h: 3, i: 2, j: 3, k: 4, l: 1 };
  const operandsOf = (equation: string, dtype: Host["dtype"]) =>
    fc.tuple(
      ...((equation.split("->")[0] ?? "").split(",").map((labels) =>
        hosts(
          [...labels].map((label) => sizes[label] ?? 1),
          { dtype },
        ),
      ) as [fc.Arbitrary<Host>]),
    );

  // tfjs has no gradient of einsum.
  it.each([
    "ij->ji",
    "ij->i",
    "ij->",
    "bij->jb",
    "ij,jk->ik",
    "ij,jk->ki",
    "bij,bjk->bik",
    "bhik,bhjk->bhij",
    "bij,jk->bik",
    "ij,ij->ij",
    "ij,ij->",
    "i,j->ij",
    "bi,bj->bij",
    "ij,j->i",
    "bil,blj->bij",
    "ijk,jk->i",
  ])(`${cover("Einsum")} %s`, async (equation) => {
    for (const dtype of ["float32", "int32"] as const) {
      await property(operandsOf(equation, dtype), (list) =>
        expectAgreement((...tensors) => tf.einsum(equation, ...tensors), list, { gradients: false }),
      );
    }
  });

  // tfjs leaves out an operand that has none of the summed labels: here the reference is made of other ops.
  it.each([
    ["ij,i->i", (a, b) => tf.mul(tf.sum(a, 1), b)],
    ["ij,k->ik", (a, b) => tf.mul(tf.reshape(tf.sum(a, 1), [2, 1]), tf.reshape(b, [1, 4]))],
    ["ij,ik->i", (a, b) => tf.mul(tf.sum(a, 1), tf.sum(b, 1))],
  ] as [string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor][])("Einsum %s", async (equation, reference) => {
    await property(operandsOf(equation, "float32"), (list) =>
      expectAgreement((...pair) => reference(pair[0] as tf.Tensor, pair[1] as tf.Tensor), list, {
        gradients: false,
        compiled: (...tensors) => tf.einsum(equation, ...tensors),
      }),
    );
  });
});

it("every rule of these families has a test above", () => {
  expectCovered("products", "einsum");
});
