// Milliseconds to load a feature folder of IEMOCAP's shape in SDT's widths and to pack one epoch of batches of 16
// dialogues from it: with features in memory, and streamed from their files.
//   npx tsx benchmarks/reading-batches.ts
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyFromSeed } from "@merclab/core";
import { bucketsOfTraining, epochBatches, loadFolder, packBatch } from "@merclab/data";

const WIDTHS = { text: 1024, audio: 1582, visual: 342 };
const DIALOGUES = 151;
const UTTERANCES = 49;
const rows = DIALOGUES * UTTERANCES;
const folder = mkdtempSync(join(tmpdir(), "merclab-batches-"));

try {
  const table = Array.from({ length: rows }, (_, row) => {
    const dialogue = Math.floor(row / UTTERANCES);
    return `${dialogue},${dialogue < 108 ? "train" : dialogue < 120 ? "valid" : "test"},${row % 6}`;
  });
  writeFileSync(join(folder, "utterances.csv"), `dialogue,split,label\n${table.join("\n")}\n`);
  for (const [name, width] of Object.entries(WIDTHS)) {
    writeFileSync(join(folder, `${name}.npy`), npy(width));
  }
  const modalities = Object.entries(WIDTHS).map(([name]) => `  ${name}: { file: ${name}.npy }`);
  writeFileSync(
    join(folder, "dataset.yaml"),
    `name: shape\nutterances: utterances.csv\ncolumns: { dialogue: dialogue }\nlabels: { column: label, as: index, classes: [a, b, c, d, e, f] }\nsplits: { column: split }\nmodalities:\n${modalities.join("\n")}\n`,
  );
  for (const round of [0, 1, 2]) {
    for (const stream of [false, true]) {
      const start = performance.now();
      const options = { modalities: null, validFraction: null, validSeed: null, normalize: null, stream };
      const { dataset } = await loadFolder(folder, options);
      const loaded = performance.now();
      const batches = epochBatches(dataset.splits.train, 16, keyFromSeed(round));
      const buckets = bucketsOfTraining(dataset.splits.train, 16);
      for (const dialogues of batches) {
        packBatch(dialogues, dataset.modalities, buckets.of(dialogues)).dispose();
      }
      const packed = performance.now() - loaded;
      const peak = process.memoryUsage().rss / 1e6;
      console.log(
        `${stream ? "streamed " : "in memory"}  load ${(loaded - start).toFixed(0)} ms, ${batches.length} batches ${(packed / batches.length).toFixed(1)} ms each, ${peak.toFixed(0)} MB`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

function npy(width: number): Buffer {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${width}), }`.padEnd(117);
  const values = Float32Array.from({ length: rows * width }, (_, at) => Math.sin(at * 0.37) + 0.01 * (at % width));
  return Buffer.concat([Buffer.from(`\x93NUMPY\x01\x00\x76\x00${head}\n`, "latin1"), Buffer.from(values.buffer)]);
}
