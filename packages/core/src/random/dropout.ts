// Inverted dropout masks from a key, drawn by a WebAssembly kernel (packages/core/assembly/dropout.ts).
//
// The bits of an element depend on its place alone, not on the size of the mask: the mask is seen as
// [lead, rows, columns], its last two axes and all before them; row r of matrix l under the key k takes the words of
// threefry(foldKey(k, l), counter (r, 0), (r, 1), …), and column c the c-th field of them, lowest bits first. So a mask
// that is padded at the end of its first or of its last two axes keeps every element, and batches may be rounded up to
// any bucket without another element being dropped.
import { BINARY } from "./dropout.wasm.ts";
import type { Key } from "./key.ts";

interface Kernel {
  readonly memory: WebAssembly.Memory;
  /** Writes a mask at a place in the memory. */
  readonly dropout: (
    out: number,
    lead: number,
    rows: number,
    columns: number,
    k0: number,
    k1: number,
    bits: number,
    dropped: number,
    kept: number,
  ) => void;
}

const module = new WebAssembly.Module(Buffer.from(BINARY, "base64"));
const kernels = new WeakMap<ArrayBufferLike, Kernel>();

/** Lets masks be written straight into arrays of this memory (at most 4 GiB, not shared), which must not grow. */
export function drawMasksInto(memory: WebAssembly.Memory): void {
  const { dropout } = new WebAssembly.Instance(module, { env: { memory } }).exports;
  kernels.set(memory.buffer, { memory, dropout: dropout as Kernel["dropout"] });
}

let own: Kernel | undefined;

/** A kernel with a memory of its own, for arrays that lie elsewhere. */
function ownKernel(bytes: number): Kernel {
  const pages = Math.max(Math.ceil(bytes / 2 ** 16), 1);
  if (own === undefined || own.memory.buffer.byteLength < bytes) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: 2 ** 16 });
    drawMasksInto(memory);
    own = kernels.get(memory.buffer) as Kernel;
  }
  return own;
}

/**
 * Fills `out` with an inverted dropout mask: 0 with probability `rate`, else 1 / (1 − rate).
 *
 * An element takes one bit for rate 0.5, two for multiples of 1/4, up to eight for multiples of 1/256, else 16, which
 * resolves the rate to 1/65536 (the scale follows the resolved rate, so the mean stays 1).
 *
 * @throws RangeError for a rate outside [0, 1) or an array that does not have the shape's size
 */
export function fillDropoutMask(key: Key, shape: readonly number[], rate: number, out: Float32Array): void {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`dropout: expected a rate in [0, 1), got ${rate}`);
  }
  const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const lead = shape.slice(0, -2).reduce((size, dim) => size * dim, 1);
  if (out.length !== lead * rows * columns) {
    throw new RangeError(`dropout: an array of ${out.length} does not hold a mask of [${shape.join(", ")}]`);
  }
  if (out.length === 0) {
    return;
  }
  const bits = [1, 2, 4, 8].find((each) => Number.isInteger(rate * 2 ** each)) ?? 16;
  const levels = 2 ** bits;
  const dropped = Math.min(Math.round(rate * levels), levels - 1);
  const kept = levels / (levels - dropped);
  const direct = kernels.get(out.buffer);
  const { dropout, memory } = direct ?? ownKernel(out.byteLength);
  dropout(direct === undefined ? 0 : out.byteOffset, lead, rows, columns, key.k0, key.k1, bits, dropped, kept);
  if (direct === undefined) {
    out.set(new Float32Array(memory.buffer, 0, out.length));
  }
}
