// The gated multimodal unit: J. Arevalo, T. Solorio, M. Montes-y-Gómez, F. González, ICLR workshop 2017. Every modality
// gets a hidden state, and a gate that sees all modalities; their products add up.
import { concatLast, definePlugin, fastTanh, linear, linearSpecs } from "@merclab/core";
import { addN, mul, sigmoid, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { createBaseline, masked } from "./observed.ts";

export const gatedPlugin = definePlugin({
  kind: "fusion",
  name: "gated",
  summary: "Gated multimodal unit: each modality's hidden state, admitted by a gate that sees all of them",
  options: z.strictObject({}),
  create: (_options, { modalities, dim }) => {
    const specs = modalities.flatMap((name) => [
      ...linearSpecs(`gated.${name}.hidden`, dim, dim),
      ...linearSpecs(`gated.${name}.gate`, modalities.length * dim, dim),
    ]);
    return createBaseline(modalities, dim, specs, (parameters, { rows, present }) => {
      const all = concatLast(rows);
      const gates = modalities.map((name) => sigmoid(linear(parameters, `gated.${name}.gate`, all)));
      const parts = modalities.map((name, m) => {
        const hidden = fastTanh(linear(parameters, `gated.${name}.hidden`, rows[m] as Tensor2D));
        return masked(mul(gates[m] as Tensor2D, hidden) as Tensor2D, present[m] as Tensor1D);
      });
      return {
        fused: addN(parts) as Tensor2D,
        shown: Object.fromEntries(modalities.map((name, m) => [`gate.${name}`, gates[m] as Tensor2D])),
      };
    });
  },
});
