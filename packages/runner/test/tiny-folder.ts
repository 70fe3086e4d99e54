// A correct feature folder of five dialogues, as texts: one modality of two columns.
const dialogues = ["a", "b", "c", "d", "e"];

/** Rows of `utterances.csv`: dialogues a, b, c train, d valid, e test, of two utterances each. */
const rows = dialogues.flatMap((dialogue) => {
  const part = { d: "valid", e: "test" }[dialogue] ?? "train";
  return [`${dialogue},0,M,${part},calm`, `${dialogue},1,F,${part},tense`];
});

/** Little-endian float32 `[rows, width]` as `.npy`, version 1.0. */
export function npy(data: readonly number[], width: number): Buffer {
  const shape = `(${data.length / width}, ${width})`;
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = `${head.padEnd(117)}\n`;
  const size = Buffer.from([padded.length % 256, Math.floor(padded.length / 256)]);
  const magic = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0]);
  return Buffer.concat([magic, size, Buffer.from(padded, "latin1"), Buffer.from(Float32Array.from(data).buffer)]);
}

export const FEATURES: readonly number[] = rows.flatMap((_, row) => [Math.sin(1.7 * row), Math.cos(2.3 * row)]);

export const FOLDER = {
  "dataset.yaml": `name: tiny
utterances: utterances.csv
columns: { dialogue: dialogue, order: order }
labels: { column: emotion, classes: [calm, tense] }
splits: { column: part }
speakers: { column: speaker, values: [M, F] }
modalities:
  text: { file: text.npy, width: 2 }
`,
  "utterances.csv": `dialogue,order,speaker,part,emotion\n${rows.join("\n")}\n`,
  "text.npy": npy(FEATURES, 2),
};
