// Tensor fusion network: A. Zadeh, M. Chen, S. Poria, E. Cambria, L.-P. Morency, EMNLP 2017. The outer product of all
// modalities, each with a constant 1 appended, so that interactions of every order are in it, then a linear layer.
// Here each modality may be narrowed first, since the product of streams of equal width is far too large.
import { concatLast, definePlugin, linear, linearSpecs, MerclabError } from "@merclab/core";
import { expandDims, mul, ones, relu, reshape, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline } from "./observed.ts";

/** Above it a batch of outer products would not fit into memory. */
const LARGEST_PRODUCT = 65_536;

export const tensorFusionPlugin = definePlugin({
  kind: "fusion",
  name: "tfn",
  summary: "Tensor fusion: the outer product of all modalities, narrowed first",
  options: z.strictObject({
    modalityDim: z
      .int()
      .positive()
      .nullable()
      .default(8)
      .describe("width of each modality in the product, without the constant; null = that of the streams"),
  }),
  create: ({ modalityDim }, { modalities, dim }) => {
    const width = modalityDim ?? dim;
    const size = (width + 1) ** modalities.length;
    if (size > LARGEST_PRODUCT) {
      throw new MerclabError(
        "combination",
        `fusion tfn: the outer product of ${modalities.length} modalities of width ${width} has ${size} numbers per utterance`,
        { hint: `Set modalityDim so that (modalityDim + 1)^${modalities.length} is at most ${LARGEST_PRODUCT}.` },
      );
    }
    const narrow = modalityDim !== null;
    const specs = [
      ...(narrow ? modalities.flatMap((name) => linearSpecs(`tfn.${name}`, dim, width)) : []),
      ...linearSpecs("tfn.out", size, dim),
    ];
    return createBaseline(modalities, dim, specs, (parameters, { rows }) => {
      const tokens = rows[0]?.shape[0] ?? 0;
      const factors = rows.map((row, m) => {
        const narrowed = narrow ? linear(parameters, `tfn.${modalities[m]}`, row) : row;
        return concatLast([narrowed, ones([tokens, 1])]);
      });
      const product = factors.reduce((left, right) => {
        const outer = mul(expandDims(left, 2), expandDims(right, 1)); // [tokens, left, right]
        return reshape(outer, [tokens, left.shape[1] * right.shape[1]]) as Tensor2D;
      });
      return { fused: relu(linear(parameters, "tfn.out", product)) };
    });
  },
});
