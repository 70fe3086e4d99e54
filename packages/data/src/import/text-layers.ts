// RoBERTa-large gives four vectors per utterance in the files of COSMIC and its successors: its last layer and the three
// before. SDT uses the first of them, M3NET and COSMIC their mean.
import type { ImportedCorpus, ImportedModality } from "./corpus.ts";
import type { ImportOptions } from "./layout.ts";

export const TEXT_LAYERS = ["roberta1", "roberta2", "roberta3", "roberta4"] as const;

/** Replaces the layers by one modality `text`, or by `text1` to `text4`. */
export function combineTextLayers(corpus: ImportedCorpus, how: ImportOptions["textLayers"]): ImportedCorpus {
  const layers = corpus.modalities.filter(({ name }) => (TEXT_LAYERS as readonly string[]).includes(name));
  const others = corpus.modalities.filter((modality) => !layers.includes(modality));
  const [first] = layers;
  if (first === undefined) {
    return corpus;
  }
  const note = {
    first: "text is roberta1, RoBERTa's last layer, as in SDT; --text-layers mean, concat or separate takes all four",
    mean: "text is the mean of RoBERTa's four layers",
    concat: "text is RoBERTa's four layers side by side",
    separate: "RoBERTa's four layers are four modalities, text1 to text4",
  }[how];
  const text = {
    first: () => [{ ...first, name: "text" }],
    mean: () => [mean(layers)],
    concat: () => [concat(layers)],
    separate: () => layers.map((layer, at) => ({ ...layer, name: `text${at + 1}` })),
  }[how]();
  return { ...corpus, modalities: [...text, ...others], notes: [...corpus.notes, note] };
}

function mean(layers: readonly ImportedModality[]): ImportedModality {
  const [first] = layers as [ImportedModality];
  return {
    ...first,
    name: "text",
    read(dialogue) {
      const parts = layers.map((layer) => layer.read(dialogue));
      return Float32Array.from(
        parts[0] ?? [],
        (_, at) => parts.reduce((sum, part) => sum + (part[at] ?? 0), 0) / parts.length,
      );
    },
  };
}

function concat(layers: readonly ImportedModality[]): ImportedModality {
  const [first] = layers as [ImportedModality];
  const width = layers.reduce((sum, layer) => sum + layer.width, 0);
  return {
    ...first,
    name: "text",
    width,
    read(dialogue) {
      const parts = layers.map((layer) => ({ width: layer.width, values: layer.read(dialogue) }));
      const rows = (parts[0]?.values.length ?? 0) / first.width;
      const out = new Float32Array(rows * width);
      let column = 0;
      for (const part of parts) {
        for (let row = 0; row < rows; row++) {
          out.set(part.values.subarray(row * part.width, (row + 1) * part.width), row * width + column);
        }
        column += part.width;
      }
      return out;
    },
  };
}
