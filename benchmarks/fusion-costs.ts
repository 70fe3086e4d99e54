// Parameters and floating-point operations of every fusion at one width, by the counter that trials have too. Heads,
// objectives and encoders are left out.
//   pnpm exec tsx benchmarks/fusion-costs.ts --dim 128
import { parseArgs } from "node:util";
import { countParameters, createEagerEngine } from "@merclab/core";
import { fusionCost, STANDARD_BATCH } from "@merclab/trainer";
import { createRegistry } from "../packages/cli/src/container.ts";

const { values: given } = parseArgs({ options: { dim: { type: "string", default: "128" } } });
const dim = Number(given.dim);
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
await createEagerEngine("cpu").start();
const { dialogues, utterances } = STANDARD_BATCH;
console.log(
  `three modalities of width ${dim}, ${dialogues} dialogues of ${utterances} utterances, evaluation: per utterance\n`,
);
const heads = ["fusion", "parameters", "kFLOP, products", "kFLOP, other", "width"];
console.log(row(heads));
for (const [name, options] of VARIANTS) {
  const plugin = registry.get("fusion", name);
  const fusion = plugin.create(plugin.options.parse(options), { modalities: MODALITIES, dim });
  const { products, elementwise } = fusionCost(fusion, MODALITIES, dim).utterance;
  const what = Object.keys(options).length === 0 ? name : `${name} ${JSON.stringify(options)}`;
  const parameters = countParameters(fusion.parameters).total.toLocaleString("en");
  console.log(row([what, parameters, kilo(products), kilo(elementwise), String(fusion.dim)]));
}

function kilo(flops: number): string {
  return (flops / 1e3).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function row([what = "", ...cells]: readonly string[]): string {
  return what.padEnd(44) + cells.map((cell) => cell.padStart(17)).join("");
}
