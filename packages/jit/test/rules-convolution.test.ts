// Rules of convolutions along one, two and three axes: strides, dilations, paddings, layouts, gradients.
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { jit } from "../src/index.ts";
import { cover, expectAgreement, expectCovered, fc, type Host, hosts, property } from "./support.ts";

type Padding = "valid" | "same" | number | [[0, 0], [number, number], [number, number], [0, 0]];

interface Case {
  readonly x: Host;
  readonly filter: Host;
  readonly bias: Host;
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly pad: Padding;
}

const small = (max: number) => fc.integer({ min: 1, max });
const pair = (max: number) => fc.tuple(small(max), small(max));

/** Windows that fit into their operand. Either strides or dilations are 1, as tfjs wants it. */
function cases({ depthwise = false, dilated = true, explicit = true } = {}): fc.Arbitrary<Case> {
  const pads: fc.Arbitrary<Padding>[] = [fc.constantFrom("valid", "same")];
  const edge = fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }));
  const each = fc.tuple(edge, edge).map(([rows, columns]): Padding => [[0, 0], rows, columns, [0, 0]]);
  return fc
    .record({
      kernel: pair(3),
      more: fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })),
      step: pair(3),
      spread: fc.boolean(),
      pad: fc.oneof(...pads, ...(explicit ? [each] : [])),
      batch: small(2),
      channels: small(3),
      out: small(3),
    })
    .chain(({ kernel, more, step, spread, pad, batch, channels, out }) => {
      const isDilated = dilated && spread;
      const dilations: [number, number] = isDilated ? step : [1, 1];
      const reach = kernel.map((length, i) => (length - 1) * (dilations[i] ?? 1) + 1);
      const [height = 1, width = 1] = reach.map((length, i) => length + (more[i] ?? 0));
      const outChannels = depthwise ? channels * out : out;
      return fc.record({
        x: hosts([batch, height, width, channels]),
        filter: hosts([...kernel, channels, out]),
        bias: hosts([outChannels]),
        strides: fc.constant<[number, number]>(isDilated ? [1, 1] : step),
        dilations: fc.constant(dilations),
        pad: fc.constant(pad),
      });
    });
}

const isOne = ([a, b]: readonly [number, number]): boolean => a === 1 && b === 1;

describe("convolution along two axes", () => {
  it(cover("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"), async () => {
    await property(
      cases(),
      ({ x, filter, strides, dilations, pad }) =>
        expectAgreement(
          (a, f) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, strides, pad as never, "NHWC", dilations),
          [x, filter],
          { gradients: isOne(dilations) }, // tfjs has no gradient of dilated ones
        ),
      20,
    );
  });

  it("Conv2D of square windows, padded by a number", async () => {
    await property(
      fc
        .tuple(small(3), small(2), fc.nat({ max: 1 }))
        .chain(([size, stride, pad]) =>
          fc.tuple(hosts([2, size + 1, size + 3, 2]), hosts([size, size, 2, 3]), fc.constant([stride, pad] as const)),
        ),
      ([x, filter, [stride, pad]]) =>
        expectAgreement((a, f) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, stride, pad), [x, filter]),
    );
  });

  it("Conv2D of other windows, padded by a number, is refused: tfjs miscounts them", async () => {
    const [x, filter] = [tf.zeros([1, 4, 4, 1]), tf.zeros([1, 3, 1, 1])];
    const fn = jit((a: tf.Tensor, f: tf.Tensor) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, 1, 0));
    await expect(fn(x, filter)).rejects.toThrow(/Conv2D.*padding is a number \(0\); give "valid"/);
    await fn.dispose();
  });

  it("Conv2D with channels first", async () => {
    await property(cases({ explicit: false }), ({ x, filter, strides, dilations, pad }) =>
      expectAgreement(
        (a, f) => {
          const first = tf.transpose(a as tf.Tensor4D, [0, 3, 1, 2]);
          return tf.conv2d(first, f as tf.Tensor4D, strides, pad as never, "NCHW", dilations);
        },
        [x, filter],
        { gradients: isOne(dilations) },
      ),
    );
  });

  it("Conv2D of windows of one element, with and without strides", async () => {
    for (const stride of [1, 2]) {
      await property(fc.tuple(hosts([2, 3, 4, 3]), hosts([1, 1, 3, 2])), (operands) =>
        expectAgreement((a, f) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, stride, "same"), operands),
      );
    }
  });

  it("Conv2D rounded up: the gradient knows the last window, which tfjs's cpu backend forgets", async () => {
    const rounded = (a: unknown, f: unknown) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, 2, 0, "NHWC", 1, "ceil");
    const padded = (a: unknown, f: unknown) => {
      const more: [number, number] = [0, 1];
      const wider = tf.pad(a as tf.Tensor4D, [[0, 0], more, more, [0, 0]]);
      return tf.conv2d(wider, f as tf.Tensor4D, 2, "valid");
    };
    await property(fc.tuple(hosts([1, 4, 6, 2]), hosts([3, 3, 2, 2])), (operands) =>
      expectAgreement(padded, operands, { compiled: rounded }),
    );
  });

  it("of an empty batch", async () => {
    await property(hosts([3, 3, 2, 2]), (filter) =>
      expectAgreement(
        (a, f) => tf.conv2d(a as tf.Tensor4D, f as tf.Tensor4D, 1, "same"),
        [{ shape: [0, 4, 4, 2], dtype: "float32", values: [] }, filter],
      ),
    );
  });

  it("conv2dTranspose", async () => {
    await property(
      fc.tuple(hosts([2, 3, 4, 2]), hosts([3, 2, 3, 2]), pair(2), fc.constantFrom("same", "valid")),
      ([x, filter, strides, pad]) => {
        const [height, width] = [3 * strides[0], 4 * strides[1]];
        const shape: [number, number, number, number] =
          pad === "same" ? [2, height, width, 3] : [2, 2 * strides[0] + 3, 3 * strides[1] + 2, 3];
        return expectAgreement(
          (a, f) => tf.conv2dTranspose(a as tf.Tensor4D, f as tf.Tensor4D, shape, strides, pad as "same"),
          [x, filter],
        );
      },
    );
  });

  it.each(["linear", "relu", "elu", "relu6", "sigmoid", "leakyrelu", "prelu"] as const)(
    `${cover("FusedConv2D")} with %s`,
    async (activation) => {
      await property(cases(), ({ x, filter, bias, strides, dilations, pad }) =>
        expectAgreement(
          (a, f, c) =>
            tf.fused.conv2d({
              x: a as tf.Tensor4D,
              filter: f as tf.Tensor4D,
              strides,
              dilations,
              pad: pad as never,
              bias: c as tf.Tensor,
              activation,
              ...(activation === "prelu" ? { preluActivationWeights: c as tf.Tensor } : {}),
              leakyreluAlpha: 0.2,
            }),
          [x, filter, bias],
          { gradients: isOne(dilations) && ["linear", "relu", "elu", "relu6"].includes(activation) },
        ),
      );
    },
  );

  it("FusedConv2D with channels first", async () => {
    await property(cases({ explicit: false, dilated: false }), ({ x, filter, bias, strides, pad }) =>
      expectAgreement(
        (a, f, c) =>
          tf.fused.conv2d({
            x: tf.transpose(a as tf.Tensor4D, [0, 3, 1, 2]),
            filter: f as tf.Tensor4D,
            strides,
            pad: pad as never,
            dataFormat: "NCHW",
            bias: c as tf.Tensor,
            activation: "prelu",
            preluActivationWeights: c as tf.Tensor,
          }),
        [x, filter, bias],
        { gradients: false },
      ),
    );
  });
});

describe("convolution along one axis", () => {
  it("conv1d", async () => {
    await property(
      fc
        .record({
          kernel: small(4),
          more: fc.nat({ max: 5 }),
          step: small(3),
          spread: fc.boolean(),
          channels: small(3),
        })
        .chain(({ kernel, more, step, spread, channels }) => {
          const length = (kernel - 1) * (spread ? step : 1) + 1 + more;
          return fc.record({
            x: hosts([2, length, channels]),
            filter: hosts([kernel, channels, 3]),
            stride: fc.constant(spread ? 1 : step),
            dilation: fc.constant(spread ? step : 1),
            pad: fc.constantFrom("valid", "same"),
          });
        }),
      ({ x, filter, stride, dilation, pad }) =>
        expectAgreement(
          (a, f) => tf.conv1d(a as tf.Tensor3D, f as tf.Tensor3D, stride, pad as "same", "NWC", dilation),
          [x, filter],
          { gradients: dilation === 1 },
        ),
      10,
    );
  });
});

describe("depthwise convolution", () => {
  it(
    cover("DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter"),
    async () => {
      await property(
        cases({ depthwise: true }),
        ({ x, filter, strides, dilations, pad }) =>
          expectAgreement(
            (a, f) => tf.depthwiseConv2d(a as tf.Tensor4D, f as tf.Tensor4D, strides, pad as never, "NHWC", dilations),
            [x, filter],
            { gradients: isOne(dilations) },
          ),
        20,
      );
    },
  );

  it("with channels first is refused", async () => {
    const fn = jit((a: tf.Tensor, f: tf.Tensor) =>
      tf.depthwiseConv2d(a as tf.Tensor4D, f as tf.Tensor4D, 1, "valid", "NCHW"),
    );
    await expect(fn(tf.zeros([1, 2, 3, 3]), tf.zeros([2, 2, 2, 1]))).rejects.toThrow(/Depthwise.*\(NHWC\) only/);
    await fn.dispose();
  });

  it("separableConv2d", async () => {
    await property(fc.tuple(hosts([2, 5, 4, 3]), hosts([3, 2, 3, 2]), hosts([1, 1, 6, 4])), (operands) =>
      expectAgreement(
        (a, d, p) => tf.separableConv2d(a as tf.Tensor4D, d as tf.Tensor4D, p as tf.Tensor4D, [1, 1], "same"),
        operands,
      ),
    );
  });

  it(cover("FusedDepthwiseConv2D"), async () => {
    await property(
      fc.tuple(cases({ depthwise: true, dilated: false }), fc.constantFrom("linear", "relu")),
      ([{ x, filter, bias, strides, pad }, activation]) =>
        expectAgreement(
          (a, f, c) =>
            tf.fused.depthwiseConv2d({
              x: a as tf.Tensor4D,
              filter: f as tf.Tensor4D,
              strides,
              pad: pad as never,
              bias: c as tf.Tensor,
              activation: activation as "relu",
            }),
          [x, filter, bias],
        ),
    );
  });
});

describe("convolution along three axes", () => {
  it(cover("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"), async () => {
    await property(
      fc.tuple(hosts([1, 4, 3, 5, 2]), hosts([2, 1, 3, 2, 2]), small(2), fc.constantFrom("valid", "same")),
      ([x, filter, stride, pad]) =>
        expectAgreement((a, f) => tf.conv3d(a as tf.Tensor5D, f as tf.Tensor5D, stride, pad as "same"), [x, filter]),
    );
  });
});

it("every rule of this family has a test above", () => {
  expectCovered("convolution");
});
