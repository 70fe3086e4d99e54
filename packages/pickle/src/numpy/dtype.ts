// numpy's element types: how they are named, how long they are, and how their bytes become numbers.
import { getFloat16 } from "@petamoriken/float16";
import { PickleError } from "../errors.ts";
import { Bytes } from "../source.ts";

/** f float, i signed, u unsigned integer, b bool, U unicode, S bytes, O any Python object, B bfloat16 (torch only). */
export type Kind = "f" | "i" | "u" | "b" | "U" | "S" | "O" | "B";

export interface DType {
  readonly kind: Kind;
  /** Bytes of one element; 0 for objects. */
  readonly itemBytes: number;
  readonly littleEndian: boolean;
  /** As numpy writes it: `<f4`, `|b1`, `<U102`. */
  readonly name: string;
}

const SIZES: Readonly<Record<Kind, readonly number[] | undefined>> = {
  f: [2, 4, 8],
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  b: [1],
  B: [2],
  U: undefined,
  S: undefined,
  O: undefined,
};

/**
 * The type that `numpy.dtype(text)` has: `f4`, `<i8`, `>f8`, `|b1`, `U102`, `O`.
 *
 * @throws PickleError `unsupported` for complex numbers, dates, records and long double
 */
export function dtypeFromDescr(text: string): DType {
  const match = /^([<>=|]?)([a-zA-Z])(\d*)$/.exec(text);
  const order = match?.[1] === "" ? "<" : (match?.[1] ?? "<");
  return createDType(match?.[2] ?? text, Number(match?.[3] ?? 0), order, text);
}

/** @param order `<`, `>`, `=` (this machine's, taken for little-endian) or `|` (does not matter) */
export function createDType(letter: string, size: number, order: string, text = `${letter}${size}`): DType {
  const kind = letter === "a" ? "S" : letter;
  if (!isKind(kind)) {
    throw new PickleError("unsupported", `arrays of numpy type "${shorten(text)}" are not read${WHY[letter] ?? ""}`);
  }
  const itemBytes = kind === "O" ? 0 : kind === "U" ? size * 4 : size;
  if (SIZES[kind]?.includes(itemBytes) === false || itemBytes > 2 ** 31) {
    throw new PickleError(
      "unsupported",
      `arrays of numpy type "${shorten(text)}" are not read: expected ${kind}${SIZES[kind]?.join(`, ${kind}`)}`,
    );
  }
  const littleEndian = order !== ">";
  const sign = itemBytes === 1 || kind === "O" || kind === "S" ? "|" : littleEndian ? "<" : ">";
  const name = kind === "B" ? "bfloat16" : kind === "O" ? "|O" : `${sign}${kind}${kind === "U" ? size : itemBytes}`;
  return { kind, itemBytes, littleEndian, name };
}

const WHY: Readonly<Record<string, string>> = {
  V: ": it is a record (structured dtype) or raw memory; save every field as an array of its own",
  c: ": complex numbers have no place in features; save real and imaginary part",
  M: ": dates; save them as integers or text",
  m: ": time spans; save them as integers",
  T: ": save it as fixed-width unicode (U) or as a list of texts",
};

function isKind(letter: string): letter is Kind {
  return Object.hasOwn(SIZES, letter);
}

export function isNumeric({ kind }: DType): boolean {
  return "fiubB".includes(kind);
}

/**
 * Bytes to numbers in float32, rounded as numpy's `astype("float32")` rounds. May share the memory of the bytes.
 *
 * @param bytes whole elements
 */
export function toFloat32(dtype: DType, bytes: Uint8Array): Float32Array {
  if (dtype.kind === "f" && dtype.itemBytes === 4) {
    if (dtype.littleEndian) {
      return inPlace(bytes) ?? new Float32Array(nativeCopy(dtype, bytes).buffer);
    }
    return new Float32Array(nativeCopy(dtype, bytes).buffer);
  }
  return new Float32Array(toFloat64(dtype, bytes));
}

/** Bytes to numbers in float64; integers beyond 2^53 lose their last digits, as in numpy's `astype("float64")`. */
export function toFloat64(dtype: DType, bytes: Uint8Array): Float64Array {
  const { kind, itemBytes } = dtype;
  const native = nativeCopy(dtype, bytes);
  const { buffer } = native;
  switch (kind) {
    case "b":
      return Float64Array.from(native, (byte) => (byte === 0 ? 0 : 1));
    case "f":
      if (itemBytes === 2) {
        const view = new DataView(buffer);
        return Float64Array.from({ length: bytes.length / 2 }, (_, at) => getFloat16(view, at * 2, true));
      }
      return itemBytes === 4 ? new Float64Array(new Float32Array(buffer)) : new Float64Array(buffer);
    case "B": {
      const halves = new Uint16Array(buffer);
      return new Float64Array(new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer));
    }
    case "i":
      return itemBytes === 8
        ? Float64Array.from(new BigInt64Array(buffer), Number)
        : new Float64Array(new { 1: Int8Array, 2: Int16Array, 4: Int32Array }[itemBytes as 4](buffer));
    case "u":
      return itemBytes === 8
        ? Float64Array.from(new BigUint64Array(buffer), Number)
        : new Float64Array(new { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[itemBytes as 4](buffer));
    default:
      throw new PickleError("unsupported", `expected an array of numbers, got one of ${dtype.name}`);
  }
}

/** Bytes to single values, exact: integers beyond 2^53 become bigint. Not for objects. */
export function toValues(dtype: DType, bytes: Uint8Array): (number | bigint | boolean | string | Bytes)[] {
  const { kind, itemBytes } = dtype;
  switch (kind) {
    case "b":
      return Array.from(bytes, (byte) => byte !== 0);
    case "U":
      return cut(dtype, bytes).map((item) => unicode(dtype, item));
    case "S":
      return cut(dtype, bytes).map((item) => Bytes.of(item.subarray(0, trimmedLength(item))));
    case "i":
    case "u":
      if (itemBytes === 8) {
        const { buffer } = nativeCopy(dtype, bytes);
        const exact = kind === "i" ? new BigInt64Array(buffer) : new BigUint64Array(buffer);
        return Array.from(exact, (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
      }
      return Array.from(toFloat64(dtype, bytes));
    default:
      return Array.from(toFloat64(dtype, bytes));
  }
}

/** The bytes as numbers where they lie, if they start at an address where float32 may. */
function inPlace(bytes: Uint8Array): Float32Array | undefined {
  return bytes.byteOffset % 4 === 0 ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : undefined;
}

/** A copy that starts at an aligned address, in this machine's byte order (little-endian on every Node platform used). */
function nativeCopy({ kind, itemBytes, littleEndian }: DType, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Buffer.from(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  if (!littleEndian && kind !== "b") {
    if (itemBytes === 2) {
      copy.swap16();
    } else if (itemBytes === 4) {
      copy.swap32();
    } else if (itemBytes === 8) {
      copy.swap64();
    }
  }
  return copy;
}

function cut({ itemBytes }: DType, bytes: Uint8Array): Uint8Array[] {
  if (itemBytes === 0) {
    return [];
  }
  return Array.from({ length: bytes.length / itemBytes }, (_, at) =>
    bytes.subarray(at * itemBytes, (at + 1) * itemBytes),
  );
}

/** UTF-32, padded with zeros. */
function unicode({ littleEndian }: DType, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const points: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    points.push(view.getUint32(at, littleEndian));
  }
  while (points.at(-1) === 0) {
    points.pop();
  }
  if (points.some((point) => point > 0x10ffff)) {
    throw new PickleError("damaged", "a unicode array holds a number that is no character");
  }
  return points.map((point) => String.fromCodePoint(point)).join("");
}

function trimmedLength(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) {
    length--;
  }
  return length;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
