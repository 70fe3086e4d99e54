// bc-LSTM's pickles of one modality: dialogues padded to one length, labels with them.

import type { Split } from "@merclab/core";
import { NdArray, type PickleValue } from "@merclab/pickle";
import type { ImportedDialogue } from "../corpus.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";
import { itemsOf, numberOf } from "../python-values.ts";

export const bcLstm: Layout = {
  name: "bc-lstm",
  summary: "text.pickle, audio.pickle, video.pickle (bc-LSTM): 7 positions, padded; files beside it become modalities",
  mismatch: ({ value }) => mismatch(value),
  async read({ value, path, beside }) {
    const own = modalityOf(path);
    const files = new Map<string, readonly PickleValue[]>([[own, value as PickleValue[]]]);
    const prefix = /^(.*?)(?:text|audio|video)(.*)$/i.exec(path.split(/[\\/]/).at(-1) ?? "");
    for (const [name, part] of prefix === null
      ? []
      : ([
          ["text", "text"],
          ["audio", "audio"],
          ["visual", "video"],
        ] as const)) {
      const other = files.has(name) ? undefined : await beside(`${prefix?.[1]}${part}${prefix?.[2]}`);
      if (other !== undefined && mismatch(other.value) === undefined) {
        files.set(name, other.value as PickleValue[]);
      }
    }
    const [main] = files.values() as unknown as [readonly PickleValue[]];
    const dialogues: (ImportedDialogue & { readonly row: number })[] = [];
    for (const [split, at] of [
      ["train", 0],
      ["test", 2],
    ] as const) {
      const lengths = lengthsOf(main, split);
      const labels = main[at + 1] as NdArray;
      const values = labels.toFloat64();
      const time = labels.shape[1] ?? 0;
      lengths.forEach((length, row) => {
        const id = `${split}/${row}`;
        const utterances = Array.from({ length }, (_, place) => {
          const label = values[row * time + place] ?? Number.NaN;
          if (!Number.isInteger(label) || label < 0 || label > 99) {
            throw new LayoutError(`dialogue "${id}", utterance ${place}: label ${label} is no class`);
          }
          return { id: `${id}/${place}`, speaker: "", cells: { label: String(label) } };
        });
        dialogues.push({ id, split, utterances, row });
      });
    }
    const highest = dialogues.reduce(
      (most, { utterances }) => utterances.reduce((high, { cells }) => Math.max(high, Number(cells.label)), most),
      1,
    );
    const classes =
      highest === 1 ? ["negative", "non-negative"] : Array.from({ length: highest + 1 }, (_, at) => `class ${at}`);
    for (const [name, file] of files) {
      for (const split of ["train", "test"] as const) {
        if (lengthsOf(file, split).join() !== lengthsOf(main, split).join()) {
          throw new LayoutError(`${name} and ${own} disagree on the lengths of the ${split} dialogues`);
        }
      }
    }
    return {
      name: "bc-lstm",
      dialogues,
      modalities: [...files].map(([name, file]) => {
        const arrays = { train: file[0] as NdArray, test: file[2] as NdArray };
        const [, time = 0, width = 0] = arrays.train.shape;
        return {
          name,
          width,
          read(at: number): Float32Array {
            const dialogue = dialogues[at];
            const array = arrays[dialogue?.split as "train" | "test"];
            const start = (dialogue?.row ?? 0) * time * width;
            return array.readFloat32(start, start + (dialogue?.utterances.length ?? 0) * width);
          },
          ...(name === "text" ? { fittedOn: ["train"] as const } : {}),
        };
      }),
      targets: [{ column: "label", classes, as: "index" }],
      speakers: "none",
      notes: [
        "the file has no ids: dialogues are named by part and row",
        `modalities found: ${[...files.keys()].join(", ")}`,
        ...(highest === 1 ? ["two classes: 0 negative, 1 non-negative, as in CMU-MOSI"] : []),
      ],
    };
  },
};

function modalityOf(path: string): string {
  const name = (path.split(/[\\/]/).at(-1) ?? "").toLowerCase();
  const found = /text|audio|video|visual/.exec(name)?.[0];
  return found === "video" ? "visual" : (found ?? "features");
}

function lengthsOf(file: readonly PickleValue[], split: Split): number[] {
  const [array, most] = [file[split === "train" ? 0 : 2], file[4]];
  const lengths = itemsOf(file[split === "train" ? 5 : 6], `${split} lengths`).map((item) => numberOf(item, "length"));
  const [dialogues, time = 0] = (array as NdArray).shape;
  if (
    lengths.length !== dialogues ||
    lengths.some((length) => !Number.isInteger(length) || length < 1 || length > time)
  ) {
    throw new LayoutError(
      `${split} lengths: expected ${dialogues} numbers from 1 to ${time} (${String(most)} at most)`,
    );
  }
  return lengths;
}

function mismatch(value: PickleValue): string | undefined {
  if (!Array.isArray(value) || value.length !== 7) {
    return "it is no tuple of 7";
  }
  const [trainX, trainY, testX, testY, most] = value;
  const axes = (item: PickleValue | undefined): number =>
    item instanceof NdArray && item.isNumeric ? item.shape.length : -1;
  if (axes(trainX) !== 3 || axes(testX) !== 3 || axes(trainY) !== 2 || axes(testY) !== 2 || typeof most !== "number") {
    return "its positions are not padded features, labels and lengths";
  }
  const [a, b] = [trainX as NdArray, testX as NdArray];
  return a.shape[2] === b.shape[2] && a.shape[2] !== 0 ? undefined : "train and test have vectors of different widths";
}
