// Reads forward through a source: one window of a file at a time. What is kept of a window is copied out of it, aligned,
// so that arrays of numbers can be looked at in place.
import { PickleError } from "./errors.ts";
import { Bytes, memorySource, type Source } from "./source.ts";

const WINDOW_BYTES = 1 << 20;

/** Byte strings at least this long are left in the file. */
const LEFT_IN_FILE = 64 << 10;

/** Memory for what is kept is taken in blocks of this size. */
const BLOCK_BYTES = 256 << 10;

/** Numbers of up to 8 bytes start at multiples of this. */
const ALIGNMENT = 8;

export class Cursor {
  readonly source: Source;
  /** Bytes `base` to `base + window.length` of the source. */
  private window: Buffer;
  private base: number;
  /** Next byte, in the window. */
  private at: number;
  /** Memory of the window, used again for the next one. */
  private readonly scratch: Buffer;
  private block: Source = memorySource(new Uint8Array());
  private blockBuffer: Buffer = Buffer.alloc(0);
  private blockUsed = 0;

  constructor(source: Source) {
    this.source = source;
    this.base = 0;
    this.at = 0;
    if (source.inMemory) {
      this.window = source.read(0, source.length);
      this.scratch = this.window;
      this.block = memorySource(this.window);
    } else {
      this.window = Buffer.alloc(0);
      this.scratch = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, source.length));
    }
  }

  get position(): number {
    return this.base + this.at;
  }

  byte(): number {
    if (this.at >= this.window.length) {
      this.need(1);
    }
    return this.window[this.at++] as number;
  }

  uint16(): number {
    this.need(2);
    const { window, at } = this;
    this.at = at + 2;
    return (window[at] as number) | ((window[at + 1] as number) << 8);
  }

  int32(): number {
    return this.uint32() | 0;
  }

  uint32(): number {
    this.need(4);
    const { window, at } = this;
    this.at = at + 4;
    const low = (window[at] as number) | ((window[at + 1] as number) << 8) | ((window[at + 2] as number) << 16);
    return low + (window[at + 3] as number) * 0x1000000;
  }

  /** A length of eight bytes. */
  length64(): number {
    this.need(8);
    this.at += 8;
    const value = this.window.readBigUInt64LE(this.at - 8);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      const message = `the pickle is damaged: ${value} bytes are announced`;
      throw new PickleError("damaged", message, { position: this.position - 8 });
    }
    return Number(value);
  }

  float64(): number {
    this.need(8);
    this.at += 8;
    return this.window.readDoubleBE(this.at - 8);
  }

  /** Text up to the next line feed, without it. */
  line(): string {
    let end = this.window.indexOf(10, this.at);
    for (let size = 256; end < 0; size *= 2) {
      const left = this.source.length - this.position;
      this.need(Math.min(size, left));
      end = this.window.indexOf(10, this.at);
      if (end < 0 && size >= left) {
        const message = "the pickle is cut off or damaged: a line does not end";
        throw new PickleError("damaged", message, { position: this.position });
      }
    }
    const text = this.window.toString("latin1", this.at, end);
    this.at = end + 1;
    return text;
  }

  /** A view of the next bytes, good until the cursor moves on. */
  bytes(count: number): Buffer {
    this.need(count);
    this.at += count;
    return this.window.subarray(this.at - count, this.at);
  }

  /** The next bytes, to keep: left where they are if they are many. */
  span(count: number): Bytes {
    const { source } = this;
    if (source.inMemory) {
      this.need(count);
      this.at += count;
      return new Bytes(this.block, this.at - count, count);
    }
    if (count >= LEFT_IN_FILE) {
      const start = this.position;
      this.skip(count);
      return new Bytes(source, start, count);
    }
    this.need(count);
    if (this.blockUsed + count > this.blockBuffer.length) {
      this.blockBuffer = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(source.length, count)));
      this.block = memorySource(this.blockBuffer);
      this.blockUsed = 0;
    }
    const start = this.blockUsed;
    this.window.copy(this.blockBuffer, start, this.at, this.at + count);
    this.at += count;
    this.blockUsed = Math.ceil((start + count) / ALIGNMENT) * ALIGNMENT;
    return new Bytes(this.block, start, count);
  }

  /** The bytes of a part that was passed already. */
  reread(start: number, count: number): Buffer {
    return this.source.read(start, start + count);
  }

  /** Makes sure that `count` bytes follow in the window. */
  private need(count: number): void {
    if (this.at + count <= this.window.length) {
      return;
    }
    const { source } = this;
    const start = this.position;
    const left = source.length - start;
    if (count > left) {
      const message = `the pickle is cut off or damaged: ${count} bytes are announced, ${left} are left`;
      throw new PickleError("damaged", message, { position: start });
    }
    if (count > this.scratch.length) {
      this.window = source.read(start, start + count);
    } else {
      this.window = this.scratch.subarray(0, Math.min(this.scratch.length, left));
      source.copyTo(this.window, start);
    }
    this.base = start;
    this.at = 0;
  }

  private skip(count: number): void {
    const start = this.position;
    if (this.at + count <= this.window.length) {
      this.at += count;
    } else if (start + count <= this.source.length) {
      this.base = start + count;
      this.window = this.scratch.subarray(0, 0);
      this.at = 0;
    } else {
      this.need(count); // throws
    }
  }
}
