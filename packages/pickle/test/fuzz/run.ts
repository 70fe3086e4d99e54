// A process of its own that reads mutated pickles and prints, as JSON, how each kind ended, the longest and the largest.
//   tsx run.ts COUNT SEED
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeValue, PickleError, readPickle } from "../../src/index.ts";
import { mutants } from "./mutations.ts";

const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
const seeds = ["py2-numpy1", "py3-numpy1", "py3-numpy2", "py3-torch"].flatMap((set) => {
  const text = readFileSync(join(import.meta.dirname, "../fixtures", `${set}.json`), "utf8");
  return (JSON.parse(text) as { pickle: string }[]).map(({ pickle }) => Buffer.from(pickle, "base64"));
});

// What the process needs anyway: everything once, unharmed.
for (const bytes of seeds) {
  outcome(bytes);
}
const before = process.memoryUsage().rss;
const ends: Record<string, number> = {};
let longestMs = 0;
let largestBytes = 0;
for (const { kind, bytes } of mutants(seeds, count, seed)) {
  const start = performance.now();
  const end = outcome(bytes);
  const took = performance.now() - start;
  ends[`${kind}: ${end}`] = (ends[`${kind}: ${end}`] ?? 0) + 1;
  longestMs = Math.max(longestMs, took);
  largestBytes = Math.max(largestBytes, process.memoryUsage().rss - before);
}
console.log(JSON.stringify({ ends, longestMs, largestBytes }));

function outcome(bytes: Buffer): string {
  try {
    describeValue(readPickle(bytes), 3);
    return "read";
  } catch (error) {
    if (error instanceof PickleError) {
      return error.code;
    }
    throw new Error(`not a clear error for ${bytes.toString("base64").slice(0, 4000)}`, { cause: error });
  }
}
