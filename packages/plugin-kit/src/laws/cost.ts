// What the model costs; a law only in that it can be counted.
import { STANDARD_BATCH, tryModelCost } from "@merclab/trainer";
import type { Law } from "../law.ts";
import { DIMS, MODALITIES } from "../material/batch.ts";
import { modelOf } from "../subject.ts";

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
    const whole = (flops: number) => Math.round(flops).toLocaleString("en-US");
    const { dialogues, utterances } = STANDARD_BATCH;
    const { utterance, batch } = cost;
    return {
      figures:
        `the model of this check: ${whole(utterance.products)} FLOP an utterance in products, ` +
        `${whole(utterance.elementwise)} in everything else; ${whole(batch.products)} and ${whole(batch.elementwise)} ` +
        `for ${dialogues} dialogues of ${utterances}`,
      problems: [],
    };
  },
};
