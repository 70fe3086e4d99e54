// What may lie on the machine's stack besides values: names that may be called, and half-made numpy and torch objects.
import type { DType } from "./numpy/dtype.ts";
import type { Bytes, Cursor } from "./source.ts";
import type { PickleValue } from "./values.ts";

export type StackItem = PickleValue | Global | PendingDType | TorchStorage;

/** Reads the next pickle of another source, with a meaning for its persistent ids. */
export type LoadNested = (cursor: Cursor, persistent: (id: StackItem) => StackItem) => PickleValue;

export type Call = (args: readonly StackItem[], loadNested: LoadNested) => StackItem;

/** A name that is allowed; calling it is ours to define. */
export class Global {
  readonly name: string;
  readonly call: Call;

  constructor(name: string, call: Call) {
    this.name = name;
    this.call = call;
  }
}

/** A numpy dtype on its way: letter and size first, byte order by its state. */
export class PendingDType {
  dtype: DType;
  readonly letter: string;
  readonly size: number;

  constructor(letter: string, size: number, dtype: DType) {
    this.letter = letter;
    this.size = size;
    this.dtype = dtype;
  }
}

/** A run of numbers that one or more tensors look into. */
export class TorchStorage {
  readonly dtype: DType;
  readonly bytes: Bytes;

  constructor(dtype: DType, bytes: Bytes) {
    this.dtype = dtype;
    this.bytes = bytes;
  }
}

/** What a numpy type is called in messages. */
export const A_TYPE = "a numpy type";

/** What an item that is no value is called; undefined for values. */
export function nameOfInternal(item: StackItem): string | undefined {
  if (typeof item !== "object" || item === null) {
    return undefined;
  }
  if (item instanceof Global) {
    return `the name ${item.name}`;
  }
  return item instanceof PendingDType ? A_TYPE : item instanceof TorchStorage ? "a torch storage" : undefined;
}
