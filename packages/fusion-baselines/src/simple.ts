// Concatenation and sums, with or without parameters.
import { concatLast, definePlugin, linear, linearSpecs } from "@merclab/core";
import { addN, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline, meanOfObserved } from "./observed.ts";

export const concatPlugin = definePlugin({
  kind: "fusion",
  name: "concat",
  summary: "Modalities side by side, optionally mapped back to the width of one",
  options: z.strictObject({
    projection: z.boolean().default(false).describe("a linear map back to the width of one stream"),
  }),
  create: ({ projection }, { modalities, dim }) => {
    const width = modalities.length * dim;
    const specs = projection ? linearSpecs("concat.projection", width, dim) : [];
    return createBaseline(modalities, projection ? dim : width, specs, (parameters, { rows }) => {
      const joined = concatLast(rows);
      return { fused: projection ? linear(parameters, "concat.projection", joined) : joined };
    });
  },
});

export const sumPlugin = definePlugin({
  kind: "fusion",
  name: "sum",
  summary: "Sum or mean of the modalities that were observed; no parameters",
  options: z.strictObject({
    reduce: z.enum(["sum", "mean"]).default("sum").describe("over the modalities that were observed"),
  }),
  create: ({ reduce }, { modalities, dim }) =>
    createBaseline(modalities, dim, [], (_parameters, observed) => ({
      fused: reduce === "sum" ? (addN([...observed.rows]) as Tensor2D) : meanOfObserved(observed.rows, observed),
    })),
});
