// Mutated pickles, one after the other from a seed: flipped bytes, cuts, length bombs, nesting, memo cycles, splices.

export interface Mutant {
  readonly kind: string;
  readonly bytes: Buffer;
}

const LENGTHS = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** Opcodes that copy, refer, nest and call. */
const BUSY = Buffer.from([
  0x32, 0x71, 0x68, 0x94, 0x85, 0x86, 0x87, 0x74, 0x6c, 0x61, 0x65, 0x73, 0x75, 0x52, 0x62, 0x81, 0x90, 0x91,
]);

export function* mutants(seeds: readonly Buffer[], count: number, seed: number): Generator<Mutant> {
  const random = createRandom(seed);
  const below = (limit: number): number => Math.floor(random() * Math.max(limit, 1));
  const pick = <T>(items: ArrayLike<T>): T => items[below(items.length)] as T;
  const insert = (bytes: Buffer, at: number, part: Buffer, over = 0): Buffer =>
    Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + over)]);
  const kinds: Record<string, (bytes: Buffer) => Buffer> = {
    flips(bytes) {
      const copy = Buffer.from(bytes);
      for (let flips = 1 + below(8); flips > 0; flips--) {
        copy[below(copy.length)] = below(256);
      }
      return copy;
    },
    bits(bytes) {
      const copy = Buffer.from(bytes);
      const at = below(copy.length);
      copy[at] = (copy[at] as number) ^ (1 << below(8));
      return copy;
    },
    cut: (bytes) => bytes.subarray(0, below(bytes.length)),
    lengths(bytes) {
      const bomb = Buffer.alloc(8);
      bomb.writeUInt32LE(pick(LENGTHS), 0);
      bomb.writeUInt32LE(pick(LENGTHS), 4);
      const opcode = pick([0x42, 0x54, 0x58, 0x8b, 0x8d, 0x8e, 0x95, 0x96, 0x72, 0x6a, 0x4a]);
      const part = random() < 0.5 ? bomb.subarray(0, 4) : Buffer.concat([Buffer.of(opcode), bomb]);
      return insert(bytes, below(bytes.length), part, random() < 0.5 ? part.length : 0);
    },
    nesting(bytes) {
      const part = Buffer.alloc(below(100_000), pick([0x28, 0x5d, 0x29, 0x7d, 0x85, 0x8f, 0x32]));
      return insert(bytes, below(bytes.length), part);
    },
    doubling: (bytes) => insert(bytes, below(bytes.length), Buffer.from("2\x86".repeat(below(5000)), "latin1")),
    memo(bytes) {
      const parts = Array.from({ length: 1 + below(50) }, () => Buffer.of(pick([0x71, 0x68]), below(8), pick(BUSY)));
      return insert(bytes, below(bytes.length), Buffer.concat(parts));
    },
    busy(bytes) {
      const part = Buffer.from(Array.from({ length: 1 + below(20) }, () => pick(BUSY)));
      return insert(bytes, below(bytes.length), part, below(part.length));
    },
    splice(bytes) {
      const other = pick(seeds);
      return Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length))]);
    },
    repeat(bytes) {
      const start = below(bytes.length);
      const part = bytes.subarray(start, start + 1 + below(200));
      return insert(bytes, start, Buffer.concat(new Array<Buffer>(1 + below(100)).fill(part)));
    },
  };
  const names = Object.keys(kinds);
  for (let at = 0; at < count; at++) {
    const kind = names[at % names.length] as string;
    yield { kind, bytes: (kinds[kind] as (bytes: Buffer) => Buffer)(pick(seeds)) };
  }
}

/** xorshift32 */
function createRandom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
