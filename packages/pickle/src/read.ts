// One pickle from bytes or from a file.
import { closeSync, fstatSync, openSync } from "node:fs";
import { Cursor } from "./cursor.ts";
import { PickleError } from "./errors.ts";
import { Machine } from "./machine.ts";
import { fileSource, memorySource, type Source } from "./source.ts";
import type { PickleValue } from "./values.ts";

export interface ReadOptions {
  /** Buffers that were stored beside the pickle, in order (protocol 5, out of band). */
  readonly buffers?: Iterable<Uint8Array>;
}

/** A pickle whose long arrays are still in its file: they are read when asked for, until it is closed. */
export interface PickleFile {
  readonly value: PickleValue;
  close(): void;
}

/**
 * Reads one pickle of protocol 0 to 5. What follows it is ignored, as in Python.
 *
 * @throws PickleError for everything that is no plain data, and for damaged pickles
 */
export function readPickle(bytes: Uint8Array, options: ReadOptions = {}): PickleValue {
  return load(memorySource(bytes), options);
}

/**
 * Opens a pickle file of any size.
 *
 * @throws PickleError as `readPickle`
 */
export function openPickle(path: string, options: ReadOptions = {}): PickleFile {
  const descriptor = openSync(path, "r");
  try {
    const value = load(fileSource(descriptor, fstatSync(descriptor).size), options);
    return { value, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function load(source: Source, { buffers }: ReadOptions): PickleValue {
  if (source.length === 0) {
    throw new PickleError("damaged", "the pickle is empty", { position: 0 });
  }
  return new Machine(new Cursor(source), { buffers }).run();
}
