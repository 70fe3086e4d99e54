// What an utterance gets must not depend on padding, on the dialogues beside its own, or on what was not observed.
import { MerclabError, type Parameters } from "@merclab/core";
import { balancedGradients, type Model } from "@merclab/trainer";
import { dispose, tidy } from "@tensorflow/tfjs-core";
import type { Finding, Law } from "../law.ts";
import { type Batch, batchOf, batchWithHoles, LENGTHS, pickRows, toTensors } from "../material/batch.ts";
import { differenceOfRows, short } from "../material/differences.ts";
import { drawnParameters, logitsOf, lossOf, randomOf } from "../material/evaluate.ts";
import { modelOf, type Subject } from "../subject.ts";

/** What rounding may change. */
const BOUND = 2e-5;

/** A model with parameters for as long as it is looked at. */
function withModel(
  subject: Subject,
  look: (model: Model, parameters: Parameters) => Finding,
  modalities?: readonly string[],
): Finding {
  const model = modelOf(subject, modalities);
  const parameters = drawnParameters(model);
  try {
    return look(model, parameters);
  } finally {
    dispose({ ...parameters });
  }
}

/** One line of a comparison. */
interface Compared {
  readonly what: string;
  readonly largest: number;
}

function findingOf(compared: readonly Compared[], bound: number): Finding {
  const broken = compared.filter(({ largest }) => !(largest <= bound));
  const largest = Math.max(0, ...compared.map((each) => each.largest));
  return {
    figures: `largest difference ${short(largest)}, allowed ${short(bound)}`,
    problems: broken.map((each) => `${each.what} (by ${short(each.largest)})`),
  };
}

function compareLogits(what: string, actual: number[][], expected: number[][]): Compared {
  const { largest, row } = differenceOfRows(actual, expected);
  return { what: `logits of utterance ${row} ${what}`, largest };
}

function compareLoss(what: string, actual: number, expected: number): Compared {
  return { what: `the loss ${what}`, largest: differenceOfRows([[actual]], [[expected]]).largest };
}

const BATCHES = (): readonly (readonly [string, Batch])[] => [
  ["", batchOf()],
  [" where modalities are missing", batchWithHoles()],
];

export const paddingLaw: Law = {
  name: "padding",
  says: "padding changes no number",
  advice:
    "Use layout.tokenMask in sums and means over tokens, padTokens and padMask before attention or recurrence, and " +
    "targets.mask in losses.",
  engine: "wasm",
  check: (subject) =>
    withModel(subject, (model, parameters) => {
      const compared = BATCHES().flatMap(([where, batch]): Compared[] => {
        const padded = { ...batch, bucket: { tokens: 11, time: 6 } };
        return [
          compareLogits(
            `change with padding${where}`,
            logitsOf(model, parameters, padded),
            logitsOf(model, parameters, batch),
          ),
          compareLoss(
            `changes with padding${where}`,
            lossOf(model, parameters, padded),
            lossOf(model, parameters, batch),
          ),
        ];
      });
      return findingOf(compared, BOUND);
    }),
};

export const batchLaw: Law = {
  name: "batch",
  says: "an utterance gets the same whatever dialogues are beside its own, in whatever order",
  advice:
    "Keep dialogues apart: pad tokens to [batch, time, …] with padTokens and mix along time only, and use " +
    "layout.positions rather than the place in the batch.",
  engine: "wasm",
  check: (subject) =>
    withModel(subject, (model, parameters) => {
      const compared = BATCHES().flatMap(([where, batch]): Compared[] => {
        const logits = logitsOf(model, parameters, batch);
        const turned = [4, 5, 6, 7, 3, 0, 1, 2];
        const other = pickRows(batch, [4, 1, 3], turned);
        return [
          compareLogits(
            `change without the other dialogues${where}`,
            logitsOf(model, parameters, pickRows(batch, [3], [0, 1, 2])),
            logits.slice(0, 3),
          ),
          compareLogits(
            `change with the order of the dialogues${where}`,
            logitsOf(model, parameters, other),
            turned.map((i) => logits[i] ?? []),
          ),
          compareLoss(
            `changes with the order of the dialogues${where}`,
            lossOf(model, parameters, other),
            lossOf(model, parameters, batch),
          ),
        ];
      });
      return findingOf(compared, BOUND);
    }),
};

export const missingLaw: Law = {
  name: "missing",
  says: "what stands where a modality is missing is never seen",
  advice: "Multiply by inputs.present[modality], or leave the rows out of attention with it as mask.",
  engine: "wasm",
  check: (subject) =>
    withModel(subject, (model, parameters) => {
      const holes = batchWithHoles();
      const spoilt = Object.fromEntries(
        Object.entries(holes.features).map(([name, rows]) => [
          name,
          rows.map((row, i) => (holes.present?.[name]?.[i] === 1 ? row : row.map((x) => 3 - 5 * x))),
        ]),
      );
      const other = { ...holes, features: spoilt };
      return findingOf(
        [
          compareLogits(
            "change with features that are marked as missing",
            logitsOf(model, parameters, other),
            logitsOf(model, parameters, holes),
          ),
          compareLoss(
            "changes with features that are marked as missing",
            lossOf(model, parameters, other),
            lossOf(model, parameters, holes),
          ),
        ],
        0,
      );
    }),
};

export const nothingLaw: Law = {
  name: "nothing",
  says: "loss and gradients stay finite where nothing at all was observed",
  advice:
    "Divide by the maximum of a count and 1, use maskedSoftmax, and keep square roots and logarithms away from 0, whose " +
    "slope is infinite even where a mask hides the value.",
  engine: "wasm",
  check: (subject) =>
    withModel(subject, (model, parameters) => {
      const whole = batchOf();
      const present = Object.fromEntries(Object.keys(whole.features).map((name) => [name, [1, 1, 1, 0, 0, 0, 0, 0]]));
      const batch = toTensors({ ...whole, present, bucket: { tokens: 10, time: 5 } });
      const problems: string[] = [];
      let count = 0;
      tidy(() => {
        const { losses, gradients } = balancedGradients(model, parameters, batch, randomOf(1));
        const values = [...Object.entries(losses), ...Object.entries(gradients)];
        count = values.length;
        for (const [name, tensor] of values) {
          if (!tensor.dataSync().every(Number.isFinite)) {
            problems.push(`${name in losses ? "loss" : "the gradient of"} ${name} is not finite`);
          }
        }
      });
      batch.dispose();
      return { figures: `${count} losses and gradients`, problems };
    }),
};

/** One modality, two and four, of any name. */
const SETS: readonly (readonly string[])[] = [
  ["text"],
  ["text", "visual"],
  ["audio", "gaze"],
  ["gaze", "visual", "text", "pulse"],
];

export const modalitiesLaw: Law = {
  name: "modalities",
  says: "any set of modalities works, or is refused with a reason",
  advice:
    "Loop over site.modalities instead of naming text, audio and visual; where the method needs some, throw " +
    'new MerclabError("combination", …) in create.',
  engine: "wasm",
  check: ({ mayRefuse, ...subject }) => {
    const problems: string[] = [];
    const figures: string[] = [];
    for (const modalities of SETS) {
      const names = modalities.join("+");
      try {
        const look = (model: Model, parameters: Parameters): Finding => {
          const logits = logitsOf(model, parameters, batchOf(LENGTHS, modalities));
          return { figures: "", problems: logits.flat().every(Number.isFinite) ? [] : ["logits are not finite"] };
        };
        const finite = withModel(subject, look, modalities);
        problems.push(...finite.problems.map((problem) => `${names}: ${problem}`));
        figures.push(`${names} works`);
      } catch (error) {
        if (error instanceof MerclabError && error.code === "combination" && mayRefuse?.(modalities) !== false) {
          figures.push(`${names} is refused`);
        } else {
          problems.push(`${names}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
    if (figures.every((each) => !each.endsWith("works"))) {
      problems.push("no set of modalities works");
    }
    return { figures: figures.join(", "), problems };
  },
};
