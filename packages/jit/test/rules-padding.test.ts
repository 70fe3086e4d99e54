// Rules that pad, make blocks, or make tensors of numbers alone.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import {
  cover,
  everyDtype,
  expectAgreement,
  expectCovered,
  fc,
  type Host,
  hosts,
  property,
  ranked,
} from "./support.ts";

describe("padding", () => {
  it(cover("PadV2"), async () => {
    await everyDtype(
      (dtype) =>
        ranked(1, 4, dtype).chain((x) =>
          fc.tuple(
            fc.constant(x),
            fc.tuple(...x.shape.map(() => fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })))),
            fc.constantFrom(0, 1),
          ),
        ),
      (x, paddings, value) => tf.pad(x, paddings as [number, number][], value),
    );
    const empty: Host = { shape: [0, 2], dtype: "float32", values: [] };
    const wider: [number, number][] = [
      [1, 1],
      [0, 1],
    ];
    await expectAgreement((a) => tf.pad(a as tf.Tensor, wider, 4), [empty], { gradients: false });
  });

  it.each(["reflect", "symmetric"] as const)(`${cover("MirrorPad")}, %s`, async (mode) => {
    const most = mode === "reflect" ? 1 : 0;
    await everyDtype(
      (dtype) =>
        ranked(1, 3, dtype).chain((x) =>
          fc.tuple(
            fc.constant(x),
            fc.tuple(...x.shape.map((dim) => fc.tuple(fc.nat({ max: dim - most }), fc.nat({ max: dim - most })))),
          ),
        ),
      (x, paddings) => tf.mirrorPad(x, paddings as [number, number][], mode),
    );
  });
});

describe("blocks", () => {
  it(cover("SpaceToBatchND", "BatchToSpaceND"), async () => {
    const side = fc.integer({ min: 1, max: 3 });
    await property(
      fc.tuple(side, side, side, side, fc.nat({ max: 1 })).chain(([height, width, tall, wide, before]) => {
        const pad = (length: number, block: number): [number, number] => [
          before,
          (block - ((length + before) % block)) % block,
        ];
        return fc.tuple(
          hosts([2, height, width, 2]),
          fc.constant([tall, wide] as const),
          fc.constant<number[][]>([pad(height, tall), pad(width, wide)]),
        );
      }),
      ([x, blocks, paddings]) =>
        expectAgreement(
          (a) => {
            const batches = tf.spaceToBatchND(a as tf.Tensor, [...blocks], paddings);
            return [batches, tf.batchToSpaceND(tf.square(batches), [...blocks], paddings)];
          },
          [x],
        ),
    );
  });

  it("SpaceToBatchND along one axis", async () => {
    await property(hosts([1, 5, 3]), (x) =>
      expectAgreement((a) => tf.spaceToBatchND(a as tf.Tensor, [2], [[1, 0]]), [x]),
    );
  });

  it(cover("DepthToSpace"), async () => {
    await property(hosts([2, 2, 3, 8]), async (x) => {
      const fn = (a: unknown) => tf.depthToSpace(a as tf.Tensor4D, 2, "NHWC");
      await expectAgreement(fn, [x], { gradients: false });
      // tfjs's cpu backend takes channels that come last only, and ONNX's "DCR" order of them when they come first.
      await expectAgreement(fn, [x], {
        gradients: false,
        compiled: (a) => {
          const first = tf.transpose(a as tf.Tensor4D, [0, 3, 1, 2]);
          return tf.transpose(tf.depthToSpace(first as tf.Tensor4D, 2, "NCHW"), [0, 2, 3, 1]);
        },
      });
    });
  });
});

it(cover("Fill", "Range", "LinSpace"), async () => {
  await expectAgreement(
    (x) => [
      tf.add(tf.fill([2, 3], 1.5), x as tf.Tensor),
      tf.fill([2, 0], 1.5),
      tf.fill([2], 3, "int32"),
      tf.range(1, 7, 2),
      tf.range(5, 1),
      tf.range(2, 2),
      tf.range(3, -2, -2, "int32"),
      tf.range(0, 1, 0.1),
      tf.linspace(0, 1, 5),
      tf.linspace(3, 7, 1),
      tf.eye(3),
    ],
    [{ shape: [], dtype: "float32", values: [2] }],
    { gradients: false },
  );
});

it("every rule of these families has a test above", () => {
  expectCovered("padding", "blocks", "fills");
});
