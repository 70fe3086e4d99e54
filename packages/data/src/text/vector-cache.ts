// Vectors of sentences that were encoded before: one file per encoder, a fixed-size record per sentence, written as soon
// as it is known. A record that was cut off by a crash is dropped.
import { createHash } from "node:crypto";
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { dirname } from "node:path";

const KEY_BYTES = 16;

export interface VectorCache {
  /** The vector of a sentence, if it is known. */
  get(sentence: string): Float32Array | undefined;
  add(sentences: readonly string[], vectors: Float32Array): void;
}

/**
 * @param path undefined = nothing is remembered
 * @param width numbers per vector
 */
export function openVectorCache(path: string | undefined, width: number): VectorCache {
  const known = new Map<string, number>();
  const recordBytes = KEY_BYTES + 4 * width;
  if (path === undefined) {
    return { get: () => undefined, add: () => undefined };
  }
  mkdirSync(dirname(path), { recursive: true });
  const size = existsSync(path) ? statSync(path).size : 0;
  const records = Math.floor(size / recordBytes);
  if (size !== records * recordBytes) {
    truncateSync(path, records * recordBytes);
  }
  const read = (start: number, length: number): Buffer => {
    const buffer = Buffer.from(new ArrayBuffer(length));
    const descriptor = openSync(path, "r");
    readSync(descriptor, buffer, 0, length, start);
    closeSync(descriptor);
    return buffer;
  };
  if (records > 0) {
    const all = read(0, records * recordBytes);
    for (let at = 0; at < records; at++) {
      known.set(all.toString("latin1", at * recordBytes, at * recordBytes + KEY_BYTES), at);
    }
  }
  let count = records;
  return {
    get(sentence) {
      const at = known.get(keyOf(sentence));
      return at === undefined ? undefined : new Float32Array(read(at * recordBytes + KEY_BYTES, 4 * width).buffer);
    },
    add(sentences, vectors) {
      const parts = sentences.flatMap((sentence, at) => {
        const key = keyOf(sentence);
        known.set(key, count++);
        const vector = vectors.subarray(at * width, (at + 1) * width);
        return [Buffer.from(key, "latin1"), Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)];
      });
      appendFileSync(path, Buffer.concat(parts));
    },
  };
}

function keyOf(sentence: string): string {
  return createHash("sha256").update(sentence).digest().toString("latin1", 0, KEY_BYTES);
}
