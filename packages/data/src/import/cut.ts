// Real-valued labels cut into classes at given borders.
import { MerclabError } from "@merclab/core";
import { classOfScore, edgeClasses } from "../folder/target.ts";
import type { ImportedCorpus } from "./corpus.ts";

/** @param borders ascending; a value at a border belongs to the class above it */
export function cutTarget(corpus: ImportedCorpus, borders: readonly number[]): ImportedCorpus {
  const column = ["value", "score"].find((name) => corpus.dialogues[0]?.utterances[0]?.cells[name] !== undefined);
  if (column === undefined) {
    throw new MerclabError("config", "the labels are classes already", { where: "--cut" });
  }
  if (
    borders.length === 0 ||
    borders.some((border, at) => !Number.isFinite(border) || border <= (borders[at - 1] ?? Number.NEGATIVE_INFINITY))
  ) {
    throw new MerclabError("config", `expected ascending numbers, got ${borders.join(",")}`, { where: "--cut" });
  }
  const classes = edgeClasses(borders);
  return {
    ...corpus,
    mustChoose: false,
    targets: [{ column: "class", classes, as: "index" }, ...corpus.targets],
    dialogues: corpus.dialogues.map((dialogue) => ({
      ...dialogue,
      utterances: dialogue.utterances.map((utterance) => {
        const value = Number(utterance.cells[column]);
        const label = classOfScore(value, { edges: borders });
        return { ...utterance, cells: { ...utterance.cells, class: String(label) } };
      }),
    })),
    notes: [...corpus.notes, `${column} was cut at ${borders.join(", ")}`],
  };
}
