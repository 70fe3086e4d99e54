// Parameters and floating-point operations of every fusion at one width, by one counter: parameters as they are
// declared, operations of the matrix products of the compiled graph. Heads, objectives and encoders are left out.
//   pnpm --filter @merclab/cli exec tsx "$PWD/benchmarks/fusion-costs.ts" --dim 128 --utterances 50
import { parseArgs } from "node:util";
import {
  countParameters,
  createLayout,
  type Inputs,
  initialParameters,
  keyFromSeed,
  type Parameters,
} from "@merclab/core";
import { setBackend, tensor1d, tensor2d } from "@tensorflow/tfjs-core";
import { HOST_BACKEND, hostBackend, jit } from "tfjs-jit";
import { createRegistry } from "../packages/cli/src/container.ts";

const { values: given } = parseArgs({
  options: {
    dim: { type: "string", default: "128" },
    utterances: { type: "string", default: "50" },
  },
});
const dim = Number(given.dim);
const utterances = Number(given.utterances);
const MODALITIES = ["text", "audio", "visual"];

/** Fusions with options that differ from the defaults. */
const VARIANTS: readonly (readonly [name: string, options: object])[] = [
  ["sum", {}],
  ["concat", {}],
  ["concat", { projection: true }],
  ["gated", {}],
  ["tfn", {}],
  ["lmf", {}],
  ["lmf", { rank: 16 }],
  ["cross-attention", { form: "bare" }],
  ["cross-attention", {}],
  ["self-attention", {}],
  ["sdt", {}],
  ["lmam", {}],
  ["lmam", { rank: 4 }],
  ["lmam", { rank: 16, variant: "as-described" }],
  ["ada2i", {}],
  ["cmath", {}],
];

const registry = createRegistry();
hostBackend();
await setBackend(HOST_BACKEND);
const layout = createLayout([utterances]);
const inputs: Inputs = {
  features: Object.fromEntries(
    MODALITIES.map((name) => [name, tensor2d(new Float32Array(utterances * dim).fill(0.1), [utterances, dim])]),
  ),
  present: Object.fromEntries(MODALITIES.map((name) => [name, layout.tokenMask])),
  speakers: tensor1d(new Int32Array(utterances), "int32"),
  layout,
};
console.log(`three modalities of width ${dim}, one dialogue of ${utterances} utterances, evaluation\n`);
console.log(`${"fusion".padEnd(52)}${"parameters".padStart(12)}${"MFLOP".padStart(10)}${"width".padStart(7)}`);
for (const [name, options] of VARIANTS) {
  const plugin = registry.get("fusion", name);
  const fusion = plugin.create(plugin.options.parse(options), { modalities: MODALITIES, dim });
  const forward = jit(
    (parameters: Parameters, batch: Inputs) => fusion.apply(parameters, batch.features, batch, {}).fused,
  );
  await forward(initialParameters(fusion.parameters, keyFromSeed(0)), inputs);
  const flops = (await forward.explain()).reduce((sum, { productFlops }) => sum + productFlops, 0);
  const what = Object.keys(options).length === 0 ? name : `${name} ${JSON.stringify(options)}`;
  const parameters = countParameters(fusion.parameters).total.toLocaleString("en");
  console.log(
    `${what.padEnd(52)}${parameters.padStart(12)}${(flops / 1e6).toFixed(2).padStart(10)}${String(fusion.dim).padStart(7)}`,
  );
  await forward.dispose();
}
