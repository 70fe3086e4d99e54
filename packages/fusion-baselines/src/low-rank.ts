// Low-rank multimodal fusion: Z. Liu, Y. Shen, V. Lakshminarasimhan, P. Liang, A. Zadeh, L.-P. Morency, ACL 2018. The
// weight of tensor fusion as a sum of `rank` outer products: maps of each modality with a constant 1 (the bias here) are
// multiplied over the modalities, and weighed over the rank.
import { definePlugin, linear, linearSpecs, parameter, uniformFanIn, zeros } from "@merclab/core";
import { add, mul, reshape, sum, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline } from "./observed.ts";

export const lowRankPlugin = definePlugin({
  kind: "fusion",
  name: "lmf",
  summary: "Low-rank multimodal fusion: tensor fusion with a weight of low rank",
  options: z.strictObject({ rank: z.int().positive().default(4).describe("outer products in the sum") }),
  create: ({ rank }, { modalities, dim }) => {
    const specs = [
      ...modalities.flatMap((name) => linearSpecs(`lmf.${name}`, dim, rank * dim)),
      { name: "lmf.rank_weights", shape: [rank], initial: uniformFanIn(rank) },
      { name: "lmf.bias", shape: [dim], initial: zeros },
    ];
    return createBaseline(modalities, dim, specs, (parameters, { rows }) => {
      const maps = rows.map((row, m): Tensor => linear(parameters, `lmf.${modalities[m]}`, row));
      const product = maps.reduce((a, b) => mul(a, b)); // [tokens, rank · dim]
      const byRank = reshape(product, [product.shape[0] ?? 0, rank, dim]);
      const weights = reshape(parameter(parameters, "lmf.rank_weights"), [1, rank, 1]);
      return { fused: add(sum(mul(byRank, weights), 1), parameter(parameters, "lmf.bias")) as Tensor2D };
    });
  },
});
