// Every trait that a pickle may have, as Python 2 and 3, numpy 1 and 2 and torch wrote it (fixtures/make_pickles.py).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Bytes, NdArray, openPickle, PickleError, type PickleValue, readPickle } from "../src/index.ts";

interface Fixture {
  readonly name: string;
  readonly protocol: number;
  readonly pickle: string;
  readonly value: unknown;
  readonly buffers?: readonly string[];
}

const SETS = ["py2-numpy1", "py3-numpy1", "py3-numpy2", "py3-torch"] as const;
const REFUSED = ["structured", "tensor with gaps"];

const folder = mkdtempSync(join(tmpdir(), "merclab-pickle-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fixtures(set: string): Fixture[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", `${set}.json`), "utf8")) as Fixture[];
}

/** The tagged form in which make_pickles.py states what a pickle holds. */
function tag(value: PickleValue): unknown {
  if (typeof value === "bigint") {
    return { $: "int", value: String(value) };
  }
  if (typeof value === "number") {
    return Number.isNaN(value) ? { $: "nan" } : Number.isFinite(value) ? value : { $: value > 0 ? "inf" : "-inf" };
  }
  if (Array.isArray(value)) {
    return value.map(tag);
  }
  if (value instanceof Bytes) {
    return { $: "bytes", latin1: value.read().toString("latin1") };
  }
  if (value instanceof Set) {
    return { $: "set", items: sorted([...value].map(tag)) };
  }
  if (value instanceof Map) {
    return { $: "dict", items: sorted([...value].map(([key, item]) => [tag(key), tag(item)])) };
  }
  if (value instanceof NdArray) {
    // bfloat16 has no numpy name: torch states such tensors in float32.
    const dtype = value.dtype.name.replace("bfloat16", "<f4");
    return { $: "array", shape: value.shape, dtype, values: value.toValues().map(tag) };
  }
  return value;
}

/** What Python stated, in the form of `tag`: dicts have no order in Python 2; large arrays are stated by a rule. */
function stated(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(stated);
  }
  if (typeof value !== "object" || value === null || !("$" in value)) {
    return value;
  }
  const tagged = value as Record<string, unknown>;
  if (tagged.$ === "arange") {
    return { $: "array", shape: tagged.shape, dtype: "<f4", values: Array.from({ length: 17_000 }, (_, at) => at) };
  }
  if (tagged.$ === "set" || tagged.$ === "dict") {
    return { $: tagged.$, items: sorted((tagged.items as unknown[]).map(stated)) };
  }
  return Object.fromEntries(Object.entries(tagged).map(([key, item]) => [key, key === "values" ? stated(item) : item]));
}

function sorted(items: unknown[]): unknown[] {
  const key = (item: unknown) => JSON.stringify(item);
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

describe.each(SETS)("%s", (set) => {
  const all = fixtures(set);
  for (const { name, protocol, pickle, value, buffers } of all) {
    if (REFUSED.includes(name) || name === "cycle") {
      continue;
    }
    test(`${name}, protocol ${protocol}`, () => {
      const bytes = Buffer.from(pickle, "base64");
      const options = buffers === undefined ? {} : { buffers: buffers.map((text) => Buffer.from(text, "base64")) };
      expect(tag(readPickle(bytes, options))).toEqual(stated(value));
      const path = join(folder, "one.pkl");
      writeFileSync(path, bytes);
      const file = openPickle(path, options);
      expect(tag(file.value)).toEqual(stated(value));
      file.close();
    });
  }

  test("refuses structured arrays and views with gaps, and says why", () => {
    const refused = all.filter(({ name }) => REFUSED.includes(name));
    expect(refused.length).toBeGreaterThan(0);
    for (const { name, pickle } of refused) {
      const read = () => readPickle(Buffer.from(pickle, "base64"));
      expect(read).toThrow(PickleError);
      expect(read).toThrow(
        name === "structured" ? "structured array with fields such as a" : "save it after .contiguous()",
      );
    }
  });
});

test("keeps what is shared shared, and lets a list contain itself", () => {
  for (const set of ["py2-numpy1", "py3-numpy2"]) {
    const all = fixtures(set);
    const shared = all.filter(({ name }) => name === "shared references");
    for (const { pickle } of shared) {
      const [first, second, third] = readPickle(Buffer.from(pickle, "base64")) as PickleValue[][];
      expect(second).toBe(first);
      expect((third as unknown as Map<string, PickleValue>).get("again")).toBe(first);
    }
    const cycle = readPickle(Buffer.from(all.find(({ name }) => name === "cycle")?.pickle ?? "", "base64"));
    expect((cycle as PickleValue[])[1]).toBe(cycle);
  }
});

test("reads a part of an array without the rest", () => {
  const large = fixtures("py3-numpy2").find(({ name }) => name === "array large");
  const path = join(folder, "large.pkl");
  writeFileSync(path, Buffer.from(large?.pickle ?? "", "base64"));
  const { value, close } = openPickle(path);
  expect([...(value as NdArray).readFloat32(1000, 1003)]).toEqual([1000, 1001, 1002]);
  close();
  expect(() => (value as NdArray).toFloat32()).toThrow("EBADF");
});

test("needs the buffers of a pickle that keeps its arrays outside", () => {
  const { pickle = "" } = fixtures("py3-numpy2").find(({ name }) => name === "out of band") ?? {};
  expect(() => readPickle(Buffer.from(pickle, "base64"))).toThrow("out of band");
});
