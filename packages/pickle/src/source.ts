// Bytes in memory or in a file. Long runs of a file stay in it until they are asked for, so that a pickle larger than
// memory can be opened.
import { readSync } from "node:fs";
import { PickleError } from "./errors.ts";

/** Where bytes come from. */
export interface Source {
  readonly length: number;
  /** Whether reading copies nothing. */
  readonly inMemory: boolean;
  /** Exactly these bytes: a view where they are in memory, else a copy. */
  read(start: number, end: number): Buffer;
  /** Fills `target` with the bytes from `start` on. */
  copyTo(target: Buffer, start: number): void;
}

/** A run of bytes: what Python's bytes and bytearray become. */
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
    const { source, start: first, length } = this;
    return {
      length,
      inMemory: source.inMemory,
      read: (start, end) => this.read(start, end),
      copyTo: (target, start) => source.copyTo(target, first + start),
    };
  }
}

export function memorySource(bytes: Uint8Array): Source {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    length: buffer.length,
    inMemory: true,
    read: (start, end) => buffer.subarray(start, end),
    copyTo: (target, start) => buffer.copy(target, 0, start),
  };
}

/** @param descriptor stays open as long as anything that was read is used */
export function fileSource(descriptor: number, length: number): Source {
  const copyTo = (target: Buffer, start: number): void => {
    let filled = 0;
    while (filled < target.length) {
      const got = readSync(descriptor, target, filled, Math.min(target.length - filled, 1 << 30), start + filled);
      if (got === 0) {
        throw new PickleError("damaged", "the file became shorter while it was read", { position: start + filled });
      }
      filled += got;
    }
  };
  return {
    length,
    inMemory: false,
    copyTo,
    read(start, end) {
      const buffer = Buffer.allocUnsafeSlow(end - start);
      copyTo(buffer, start);
      return buffer;
    },
  };
}
