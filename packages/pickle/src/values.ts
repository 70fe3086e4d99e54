// What a pickle becomes.
import { NdArray } from "./numpy/nd-array.ts";
import { Bytes } from "./source.ts";

/**
 * | Python | here |
 * |---|---|
 * | None, bool, float, int | null, boolean, number, number (bigint beyond 2^53) |
 * | str; Python 2's str | string; string with one character per byte (latin1) |
 * | bytes, bytearray | Bytes |
 * | list, tuple | array |
 * | set, frozenset | Set |
 * | dict, OrderedDict, defaultdict | Map |
 * | numpy array, torch tensor | NdArray |
 * | numpy scalar | number, bigint, boolean or string |
 *
 * What the pickle shares is shared here; a pickle may contain itself.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Bytes
  | PickleValue[]
  | Set<PickleValue>
  | Map<PickleKey, PickleValue>
  | NdArray;

/** Keys that are no primitives (tuples) are compared by identity. */
export type PickleKey = PickleValue;

/** "a list of 3: dict of 151, …": for messages; never longer than a few lines, whatever the value. */
export function describeValue(value: PickleValue, depth = 1): string {
  if (value === null) {
    return "None";
  }
  if (typeof value === "object") {
    return describeContainer(value, depth);
  }
  return { boolean: "a bool", number: "a number", bigint: "a large int", string: "a text" }[typeof value as "number"];
}

const SHOWN = 16;

function describeContainer(
  value: Exclude<PickleValue, null | boolean | number | bigint | string>,
  depth: number,
): string {
  if (value instanceof NdArray) {
    return `an array [${value.shape.join(", ")}] of ${value.dtype.name}`;
  }
  if (value instanceof Bytes) {
    return `${value.length} bytes`;
  }
  const inside = depth > 0 ? describeContent(value, depth) : "";
  if (Array.isArray(value)) {
    return `a list or tuple of ${value.length}${inside}`;
  }
  return `${value instanceof Set ? "a set" : "a dict"} of ${value.size}${inside}`;
}

function describeContent(value: PickleValue[] | Set<PickleValue> | Map<PickleKey, PickleValue>, depth: number): string {
  const parts: string[] = [];
  if (Array.isArray(value)) {
    const items = value.slice(0, SHOWN).map((item) => describeValue(item, depth - 1));
    parts.push(...items.filter((text, at) => text !== items[at - 1] || at === 0));
  } else if (value instanceof Map) {
    for (const [key, item] of [...value.entries()].slice(0, SHOWN)) {
      parts.push(`${keyText(key)} → ${describeValue(item, depth - 1)}`);
    }
  } else {
    parts.push(...[...value].slice(0, 3).map((item) => keyText(item)));
  }
  const size = Array.isArray(value) ? value.length : value.size;
  return parts.length === 0 ? "" : `: ${parts.join(", ")}${size > SHOWN ? ", …" : ""}`;
}

function keyText(key: PickleKey): string {
  const text =
    typeof key === "string" ? JSON.stringify(key) : typeof key === "object" ? describeValue(key, 0) : String(key);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
