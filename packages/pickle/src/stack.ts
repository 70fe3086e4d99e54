// What may lie on the machine's stack besides values: names that may be called, half-made numpy and torch objects, and
// arguments that hold any of them.
import type { Cursor } from "./cursor.ts";
import type { DType } from "./numpy/dtype.ts";
import type { Bytes } from "./source.ts";
import type { PickleValue } from "./values.ts";

export type StackItem = PickleValue | Internal;

/** Reads the next pickle of another source, with a meaning for its persistent ids. */
export type LoadNested = (cursor: Cursor, persistent: (id: StackItem) => StackItem) => PickleValue;

export type Call = (args: readonly StackItem[], loadNested: LoadNested) => StackItem;

/** Whatever can be no part of a result. */
export abstract class Internal {
  /** For messages. */
  abstract readonly title: string;
}

/** A name that is allowed; calling it is ours to define. */
export class Global extends Internal {
  readonly name: string;
  readonly call: Call;

  constructor(name: string, call: Call) {
    super();
    this.name = name;
    this.call = call;
  }

  get title(): string {
    return `the name ${this.name}`;
  }
}

/** A numpy dtype on its way: letter and size first, byte order by its state. */
export class PendingDType extends Internal {
  dtype: DType;
  readonly letter: string;
  readonly size: number;

  constructor(letter: string, size: number, dtype: DType) {
    super();
    this.letter = letter;
    this.size = size;
    this.dtype = dtype;
  }

  get title(): string {
    return "a numpy type";
  }
}

/** A run of numbers that one or more tensors look into. */
export class TorchStorage extends Internal {
  readonly dtype: DType;
  readonly bytes: Bytes;

  constructor(dtype: DType, bytes: Bytes) {
    super();
    this.dtype = dtype;
    this.bytes = bytes;
  }

  get title(): string {
    return "a torch storage";
  }
}

/** A tuple or list that holds more than values, as the arguments of a call do. */
export class Arguments extends Internal {
  readonly items: readonly StackItem[];

  constructor(items: readonly StackItem[]) {
    super();
    this.items = items;
  }

  get title(): string {
    return "a list of names or types";
  }
}

/** The items of a tuple, whatever it holds; undefined for anything else. */
export function itemsOf(item: StackItem | undefined): readonly StackItem[] | undefined {
  return Array.isArray(item) ? item : item instanceof Arguments ? item.items : undefined;
}
