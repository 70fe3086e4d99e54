// Seconds to read an IEMOCAP file in SDT's layout (synthetic values, real shape: 7,433 utterances of 1024 x 4 + 1582 +
// 342 values, 182 MB), here and with Python's pickle.load, in turns.
//   MERCLAB_PYTHON=python npx tsx benchmarks/reading-pickle.ts [--rounds 7]      (Python with numpy)
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { type NdArray, openPickle, type PickleValue } from "@merclab/pickle";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "15" } } });
const python = process.env.MERCLAB_PYTHON ?? "python3";
const script = join(import.meta.dirname, "reading-pickle.py");
const folder = mkdtempSync(join(tmpdir(), "merclab-reading-"));
const path = join(folder, "iemocap_multimodal_features.pkl");

/** Opens the file and takes out every vector in float32, which is what Python's arrays hold. */
function readAll(): number {
  const start = performance.now();
  const file = openPickle(path);
  let values = 0;
  for (const feature of (file.value as PickleValue[]).slice(3, 9) as Map<string, NdArray[]>[]) {
    for (const vectors of feature.values()) {
      for (const vector of vectors) {
        values += vector.toFloat32().length;
      }
    }
  }
  file.close();
  const seconds = (performance.now() - start) / 1000;
  if (values !== 7433 * (1024 * 4 + 1582 + 342)) {
    throw new Error(`read ${values} values`);
  }
  return seconds;
}

try {
  const written = spawnSync(python, [script, "write", path], { stdio: "inherit" });
  if (written.status !== 0) {
    throw new Error(`${python} could not write the file; MERCLAB_PYTHON names a Python with numpy`);
  }
  const server = spawn(python, [script, "serve", path], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const ours: number[] = [];
  const theirs: number[] = [];
  // The first round warms both and the file cache.
  for (let round = 0; round <= Number(options.rounds); round++) {
    const seconds = readAll();
    server.stdin.write("\n");
    const reply = Number((await lines.next()).value);
    console.log(`${round === 0 ? "warm-up " : ""}merclab ${seconds.toFixed(3)} s  pickle.load ${reply.toFixed(3)} s`);
    if (round > 0) {
      ours.push(seconds);
      theirs.push(reply);
    }
  }
  server.stdin.end();
  const ratio = median(ours) / median(theirs);
  console.log(
    `median: merclab ${median(ours).toFixed(3)} s, pickle.load ${median(theirs).toFixed(3)} s, ratio ${ratio.toFixed(2)}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
