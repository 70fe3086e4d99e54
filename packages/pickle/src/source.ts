// Bytes from memory or from a file. A file is read in windows; long byte strings stay in it until they are asked for,
// so that a pickle larger than memory can be opened.
import { readSync } from "node:fs";
import { PickleError } from "./errors.ts";

/** A run of bytes, in memory or still in a file: what Python's bytes and bytearray become. */
export class Bytes {
  readonly length: number;
  private readonly source: Source;
  private readonly start: number;

  constructor(source: Source, start = 0, length = source.length - start) {
    this.source = source;
    this.start = start;
    this.length = length;
  }

  static of(bytes: Uint8Array): Bytes {
    return new Bytes(memorySource(bytes));
  }

  /** Bytes `start` (included) to `end` (excluded); a view where they are in memory, so they must not be changed. */
  read(start = 0, end = this.length): Buffer {
    return this.source.read(this.start + start, this.start + Math.min(end, this.length));
  }

  /** A part, not read yet. */
  slice(start: number, end: number): Bytes {
    return new Bytes(this.source, this.start + start, end - start);
  }

  /** The same bytes as the source of another reader. */
  asSource(): Source {
    const { source, length } = this;
    const { windowBytes, inMemory } = source;
    return { length, windowBytes, inMemory, read: (start, end) => this.read(start, end) };
  }
}

/** Where a pickle comes from. */
export interface Source {
  readonly length: number;
  /** A view or a copy of exactly these bytes. */
  read(start: number, end: number): Buffer;
  /** Bytes at once that a reader of this source should ask for. */
  readonly windowBytes: number;
  /** Whether reading copies nothing. */
  readonly inMemory: boolean;
}

export function memorySource(bytes: Uint8Array): Source {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    length: buffer.length,
    read: (start, end) => buffer.subarray(start, end),
    windowBytes: buffer.length,
    inMemory: true,
  };
}

const WINDOW_BYTES = 4 << 20;

/** @param descriptor stays open as long as anything that was read is used */
export function fileSource(descriptor: number, length: number): Source {
  return {
    length,
    windowBytes: WINDOW_BYTES,
    inMemory: false,
    read(start, end) {
      const buffer = Buffer.allocUnsafeSlow(end - start);
      let filled = 0;
      while (filled < buffer.length) {
        const got = readSync(descriptor, buffer, filled, Math.min(buffer.length - filled, 1 << 30), start + filled);
        if (got === 0) {
          throw new PickleError("damaged", "the file became shorter while it was read", { position: start + filled });
        }
        filled += got;
      }
      return buffer;
    },
  };
}

/** Byte strings at least this long are left in the file. */
const LEFT_IN_FILE = 64 << 10;

/** Reads forward through a source. */
export class Cursor {
  readonly source: Source;
  /** Bytes `base` to `base + window.length` of the source. */
  window: Buffer = Buffer.alloc(0);
  private base = 0;
  /** Next byte, in the window. */
  at = 0;

  constructor(source: Source, start = 0) {
    this.source = source;
    this.base = start;
  }

  get position(): number {
    return this.base + this.at;
  }

  /** Makes sure that `count` bytes follow in the window. */
  need(count: number): void {
    if (this.at + count <= this.window.length) {
      return;
    }
    const start = this.position;
    const left = this.source.length - start;
    if (count > left) {
      throw new PickleError(
        "damaged",
        `the pickle is cut off or damaged: ${count} bytes are announced, ${left} are left`,
        {
          position: start,
        },
      );
    }
    this.window = this.source.read(
      start,
      Math.min(start + Math.max(count, this.source.windowBytes), this.source.length),
    );
    this.base = start;
    this.at = 0;
  }

  byte(): number {
    if (this.at >= this.window.length) {
      this.need(1);
    }
    return this.window[this.at++] as number;
  }

  uint16(): number {
    this.need(2);
    this.at += 2;
    return this.window.readUInt16LE(this.at - 2);
  }

  int32(): number {
    this.need(4);
    this.at += 4;
    return this.window.readInt32LE(this.at - 4);
  }

  uint32(): number {
    this.need(4);
    this.at += 4;
    return this.window.readUInt32LE(this.at - 4);
  }

  /** A length of eight bytes. */
  length64(): number {
    this.need(8);
    this.at += 8;
    const value = this.window.readBigUInt64LE(this.at - 8);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new PickleError("damaged", `the pickle is damaged: ${value} bytes are announced`, {
        position: this.position - 8,
      });
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
        throw new PickleError("damaged", "the pickle is cut off or damaged: a line does not end", {
          position: this.position,
        });
      }
    }
    const text = this.window.toString("latin1", this.at, end);
    this.at = end + 1;
    return text;
  }

  /** A view of the next bytes. */
  bytes(count: number): Buffer {
    this.need(count);
    this.at += count;
    return this.window.subarray(this.at - count, this.at);
  }

  /** The next bytes, left where they are if they are many. */
  span(count: number): Bytes {
    const { source } = this;
    if (count < LEFT_IN_FILE || source.inMemory) {
      return Bytes.of(this.bytes(count));
    }
    const start = this.position;
    this.skip(count);
    return new Bytes(source, start, count);
  }

  /** The bytes of a part that was passed already. */
  reread(start: number, count: number): Buffer {
    return this.source.read(start, start + count);
  }

  /** Passes over bytes without reading them. */
  skip(count: number): void {
    const start = this.position;
    if (start + count > this.source.length) {
      this.need(count); // throws
    }
    if (this.at + count <= this.window.length) {
      this.at += count;
      return;
    }
    this.base = start + count;
    this.window = Buffer.alloc(0);
    this.at = 0;
  }
}
