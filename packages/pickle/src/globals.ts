// Everything that a pickle may name. Each name stands for a function of ours over plain data; any other is refused
// when the pickle names it, called or not.
import { PickleError } from "./errors.ts";
import { createDType } from "./numpy/dtype.ts";
import { NdArray } from "./numpy/nd-array.ts";
import { Bytes } from "./source.ts";
import { type Call, Global, itemsOf, PendingDType, type StackItem, TorchStorage } from "./stack.ts";
import { readLegacyStorage, rebuildTensor, STORAGE_TYPES } from "./torch/tensor.ts";
import type { PickleValue } from "./values.ts";

/**
 * @param module as the pickle writes it
 * @throws PickleError `refused` for every name that is not data
 */
export function findGlobal(module: string, name: string, position: number): Global {
  const full = `${module}.${name}`;
  const found = GLOBALS.get(full);
  if (found === undefined) {
    throw new PickleError("refused", `the pickle names ${shorten(full)}, which is no plain data: it is refused`, {
      global: full,
      position,
    });
  }
  return found;
}

const GLOBALS: ReadonlyMap<string, Global> = createGlobals();

function createGlobals(): Map<string, Global> {
  const globals = new Map<string, Global>();
  const allow = (names: readonly string[], call: Call): void => {
    for (const name of names) {
      globals.set(name, new Global(name, call));
    }
  };
  const builtin = (name: string): string[] => [`builtins.${name}`, `__builtin__.${name}`];
  const multiarray = (name: string): string[] => [`numpy.core.multiarray.${name}`, `numpy._core.multiarray.${name}`];

  allow([...builtin("set"), ...builtin("frozenset")], ([items = []]) => new Set(listOf(items, "set")));
  allow(builtin("list"), ([items = []]) => [...listOf(items, "list")]);
  allow(builtin("tuple"), ([items = []]) => [...listOf(items, "tuple")]);
  allow(builtin("dict"), ([pairs = []]) => mapOf(pairs));
  allow(["collections.OrderedDict"], ([pairs = []]) => mapOf(pairs));
  // The factory is one of the allowed names or None: it matters to programs only.
  allow(["collections.defaultdict"], ([, pairs = []]) => mapOf(pairs));
  // Types that stand for themselves, as the factory of a defaultdict.
  for (const type of ["int", "float", "str"]) {
    allow(builtin(type), () => {
      throw new PickleError("unsupported", `the pickle calls ${type}(), which is not read`);
    });
  }
  allow([...builtin("bytearray"), ...builtin("bytes")], ([content, encoding]) =>
    content === undefined ? Bytes.of(new Uint8Array()) : bytesOf(content, encoding),
  );
  allow(["_codecs.encode"], ([text, encoding]) => bytesOf(text, encoding));

  allow(["numpy.ndarray"], () => {
    throw new PickleError("unsupported", "the pickle calls numpy.ndarray(), which is not read");
  });
  allow(["numpy.dtype"], ([text]) => dtypeOf(text));
  allow(multiarray("_reconstruct"), ([type]) => {
    if (!(type instanceof Global) || type.name !== "numpy.ndarray") {
      throw new PickleError("unsupported", "an array is of a class that is not numpy.ndarray");
    }
    return NdArray.empty();
  });
  allow(multiarray("scalar"), ([type, content]) => scalarOf(type, content));
  allow(["numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"], ([content, type, shape, order]) => {
    const { dtype } = pendingDType(type);
    return new NdArray({ dtype, shape: shapeOf(shape), fortran: order === "F", storage: contentBytes(content) });
  });

  allow(["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"], ([storage, offset, shape, strides]) => {
    if (!(storage instanceof TorchStorage) || typeof offset !== "number") {
      throw new PickleError("damaged", "a torch tensor has no storage");
    }
    return rebuildTensor(storage, offset, shapeOf(shape), shapeOf(strides));
  });
  allow(["torch.storage._load_from_bytes"], ([content], loadNested) =>
    readLegacyStorage(contentBytes(content), loadNested),
  );
  allow(["torch.Size"], ([shape]) => [...shapeOf(shape)]);
  for (const type of STORAGE_TYPES) {
    allow([`torch.${type}`], () => {
      throw new PickleError("unsupported", `the pickle calls torch.${type}(), which is not read`);
    });
  }
  return globals;
}

/** Sets the state of an object that was created empty. */
export function build(target: StackItem | undefined, state: StackItem): void {
  const items = itemsOf(state);
  if (target instanceof NdArray && items !== undefined) {
    fillArray(target, items);
  } else if (target instanceof PendingDType && items !== undefined) {
    fillDType(target, items);
  } else if (!(target instanceof Map && isEmptyState(state))) {
    throw new PickleError("unsupported", "the pickle sets the attributes of an object, which is no plain data");
  }
}

/** (version, shape, dtype, is_fortran, bytes or list of objects); the version is left out by very old numpy. */
function fillArray(target: NdArray, state: readonly StackItem[]): void {
  const [shape, type, fortran, content] = state.length === 5 ? state.slice(1) : state;
  const { dtype } = pendingDType(type);
  const storage = Array.isArray(content) ? (content as PickleValue[]) : contentBytes(content);
  NdArray.fill(target, { dtype, shape: shapeOf(shape), fortran: fortran === true || fortran === 1, storage });
}

/** (version, byte order, subarray, names, fields, …) */
function fillDType(target: PendingDType, state: readonly StackItem[]): void {
  const [, order, subarray, names] = state;
  if (Array.isArray(names) && names.length > 0) {
    throw structuredArray(names);
  }
  if (subarray !== null && subarray !== undefined) {
    throw new PickleError("unsupported", "the pickle holds an array whose elements are arrays (subarray dtype)");
  }
  target.dtype = createDType(target.letter, target.size, typeof order === "string" ? order : "|");
}

/** Its fields come as a dict of types before the array does. */
export function structuredArray(names: readonly StackItem[]): PickleError {
  const fields = names.filter((name) => typeof name === "string").sort();
  return new PickleError(
    "unsupported",
    `the pickle holds a structured array with fields such as ${shorten(fields.join(", "))}, which is not read; save every field as an array of its own`,
  );
}

function dtypeOf(text: StackItem | undefined): PendingDType {
  const match = typeof text === "string" ? /^[<>=|]?([a-zA-Z])(\d*)$/.exec(text) : null;
  if (match === null) {
    throw new PickleError("unsupported", "the pickle holds an array of a type that is not read");
  }
  const [letter, size] = [match[1] as string, Number(match[2])];
  // Structured types show their fields in their state only: the error waits for it.
  const dtype = letter === "V" ? createDType("S", 1, "|") : createDType(letter, size, "|");
  return new PendingDType(letter, size, dtype);
}

function pendingDType(type: StackItem | undefined): PendingDType {
  if (!(type instanceof PendingDType)) {
    throw new PickleError("damaged", "an array has no type");
  }
  return type;
}

function scalarOf(type: StackItem | undefined, content: StackItem | undefined): StackItem {
  const { dtype } = pendingDType(type);
  if (dtype.kind === "O") {
    return content ?? null;
  }
  const array = new NdArray({ dtype, shape: [], fortran: false, storage: contentBytes(content) });
  return array.toValues()[0] ?? null;
}

function shapeOf(shape: StackItem | undefined): number[] {
  const dims = Array.isArray(shape) ? shape : [shape];
  for (const dim of dims) {
    if (typeof dim !== "number" || !Number.isInteger(dim)) {
      throw new PickleError("damaged", "an array has a shape that is no list of integers");
    }
  }
  return dims as number[];
}

/** Python 3 writes bytes, Python 2 a string of one character per byte. */
function contentBytes(content: StackItem | undefined): Bytes {
  if (content instanceof Bytes) {
    return content;
  }
  return bytesOf(content, "latin1");
}

function bytesOf(content: StackItem | undefined, encoding: StackItem | undefined): Bytes {
  if (content instanceof Bytes) {
    return content;
  }
  if (typeof content !== "string" || typeof encoding !== "string") {
    throw new PickleError("damaged", "expected bytes");
  }
  if (/^utf-?8$/i.test(encoding)) {
    return Bytes.of(Buffer.from(content, "utf8"));
  }
  if (!/^latin-?1$/i.test(encoding)) {
    throw new PickleError("unsupported", `bytes are encoded as "${shorten(encoding)}"; expected latin1`);
  }
  const bytes = Buffer.from(content, "latin1");
  // A character beyond latin1 would have been cut off.
  if (bytes.length !== content.length || /[^\0-\xff]/.test(content)) {
    throw new PickleError("damaged", "bytes stored as latin1 text hold a character beyond it");
  }
  return Bytes.of(bytes);
}

function listOf(items: StackItem, type: string): PickleValue[] {
  if (Array.isArray(items)) {
    return items;
  }
  if (items instanceof Set) {
    return [...items];
  }
  throw new PickleError("unsupported", `the pickle makes a ${type} of something that is no list`);
}

function mapOf(pairs: StackItem): Map<PickleValue, PickleValue> {
  if (pairs instanceof Map) {
    return new Map(pairs);
  }
  const map = new Map<PickleValue, PickleValue>();
  for (const pair of listOf(pairs, "dict")) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new PickleError("damaged", "the pickle makes a dict of something that is no list of pairs");
    }
    map.set(pair[0] as PickleValue, pair[1] as PickleValue);
  }
  return map;
}

function isEmptyState(state: StackItem): boolean {
  return state === null || (state instanceof Map && state.size === 0);
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
