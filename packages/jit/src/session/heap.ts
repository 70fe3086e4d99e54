// Memory that WebAssembly kernels and ONNX Runtime share: one WebAssembly.Memory, and which parts of it are taken. It
// never grows, since growing would detach every array that looks into it; it reserves addresses, and the system gives
// real memory to what was once written.

const PAGE = 2 ** 16;
/** 4 GiB, all that 32-bit addresses reach; less where the system does not even reserve that. */
const SIZES_IN_PAGES = [2 ** 16, 2 ** 15, 2 ** 14, 2 ** 12];
const ALIGNMENT = 64;
/** What compiled kernels keep for themselves at the start of the memory. */
const RESERVED = 1024;

interface Block {
  readonly start: number;
  readonly end: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Free parts, in order, no two of them adjacent. */
  private free: Block[];
  private readonly taken = new Map<number, Block>();
  private bytes = 0;

  /** @param pages of 64 KiB, for tests; the largest that can be had when absent */
  constructor(pages?: number) {
    this.memory = reserve(pages === undefined ? SIZES_IN_PAGES : [pages]);
    // The last page stays free, so that a kernel's address behind the end of an array does not wrap around.
    this.free = [{ start: RESERVED, end: this.memory.buffer.byteLength - PAGE }];
  }

  /** Bytes that are taken. */
  get usedBytes(): number {
    return this.bytes;
  }

  /** Where `bytes` bytes begin, a multiple of 64, in the first gap that holds them; undefined when there is none. */
  take(bytes: number): number | undefined {
    const size = Math.max(Math.ceil(bytes / ALIGNMENT), 1) * ALIGNMENT;
    const at = this.free.findIndex(({ start, end }) => end - start >= size);
    const gap = this.free[at];
    if (gap === undefined) {
      return undefined;
    }
    const block = { start: gap.start, end: gap.start + size };
    this.free.splice(at, 1, ...(block.end === gap.end ? [] : [{ start: block.end, end: gap.end }]));
    this.taken.set(block.start, block);
    this.bytes += size;
    return block.start;
  }

  /** @throws RangeError where nothing was taken */
  give(start: number): void {
    const block = this.taken.get(start);
    if (block === undefined) {
      throw new RangeError(`nothing was taken at ${start}`);
    }
    this.taken.delete(start);
    this.bytes -= block.end - block.start;
    const next = this.free.findIndex((gap) => gap.start > start);
    const at = next < 0 ? this.free.length : next;
    const [before, after] = [this.free[at - 1], this.free[at]];
    const joinsBefore = before?.end === block.start;
    const joinsAfter = after?.start === block.end;
    this.free.splice(at - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      start: joinsBefore ? before.start : block.start,
      end: joinsAfter ? after.end : block.end,
    });
  }
}

function reserve(sizes: readonly number[]): WebAssembly.Memory {
  for (const pages of sizes) {
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
    }
  }
  throw new RangeError(`no WebAssembly memory of ${(sizes.at(-1) ?? 0) / 16} MiB can be had`);
}
