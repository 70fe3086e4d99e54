// What the model costs; a law only in that it can be counted.
import { countParameters, MerclabError } from "@merclab/core";
import { fusionCost, STANDARD_BATCH, tryModelCost } from "@merclab/trainer";
import type { Law } from "../law.ts";
import { DIMS, MODALITIES } from "../material/batch.ts";
import { modelOf, type Subject } from "../subject.ts";

export const costLaw: Law = {
  name: "cost",
  says: "floating-point operations can be counted",
  advice: "What can be compiled can be counted: see the law on engines.",
  engine: "wasm",
  check: (subject) => {
    const model = modelOf(subject);
    const cost = tryModelCost(
      model,
      MODALITIES.map((name) => ({ name, dim: DIMS[name] ?? 0 })),
    );
    if ("unknown" in cost) {
      return { figures: "", problems: [cost.unknown] };
    }
    const { dialogues, utterances } = STANDARD_BATCH;
    const { utterance, batch } = cost;
    return {
      figures:
        ownCost(subject) +
        `the model of this check: ${whole(utterance.products)} FLOP an utterance in products, ` +
        `${whole(utterance.elementwise)} in everything else; ${whole(batch.products)} and ${whole(batch.elementwise)} ` +
        `for ${dialogues} dialogues of ${utterances}`,
      problems: [],
    };
  },
};

/** Width at which fusions are compared, where they accept it. */
const WIDTH = 128;

/** What a fusion costs by itself. */
function ownCost({ kind, parts }: Subject): string {
  if (kind !== "fusion") {
    return "";
  }
  const { plugin, options } = parts.fusion;
  try {
    const fusion = plugin.create(options, { modalities: MODALITIES, dim: WIDTH });
    const { products, elementwise } = fusionCost(fusion, MODALITIES, WIDTH).utterance;
    const { total } = countParameters(fusion.parameters);
    return (
      `alone at width ${WIDTH} it has ${whole(total)} parameters, and takes ${whole(products)} FLOP an utterance in ` +
      `products and ${whole(elementwise)} in everything else; `
    );
  } catch (error) {
    if (error instanceof MerclabError) {
      return "";
    }
    throw error;
  }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
