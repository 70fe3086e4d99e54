import { readFileSync } from "node:fs";
import { encodeSafetensors, type HostTensor, MerclabError, parseSafetensors, sizeOf } from "@merclab/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface StoredFile {
  readonly base64: string;
  readonly tensors: Readonly<Record<string, { readonly shape: number[]; readonly data: readonly string[] }>>;
}

// Files of the Python package, written by fixtures/safetensors_reference.py.
const fixture = JSON.parse(readFileSync(new URL("./fixtures/safetensors.json", import.meta.url), "utf8")) as Record<
  "float32" | "mixed" | "unsupported",
  StoredFile
>;

const bytesOf = ({ base64 }: StoredFile): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

/** float("inf") of Python prints as inf. */
const parseNumber = (text: string): number => (text === "inf" ? Number.POSITIVE_INFINITY : Number(text));

function tensorsOf({ tensors }: StoredFile): Map<string, HostTensor> {
  return new Map(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: Float32Array.from(data, parseNumber) },
    ]),
  );
}

/** A file with any header and any data. */
function fileOf(header: unknown, dataBytes: number, headerBytes?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerBytes ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (dtype: string, shape: unknown, data_offsets: unknown) => ({ dtype, shape, data_offsets });

const tensorMaps: fc.Arbitrary<Map<string, HostTensor>> = fc
  .uniqueArray(
    fc.record({
      name: fc
        .oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant("__proto__"))
        .filter((name) => name !== "__metadata__"),
      shape: fc.array(fc.nat(3), { maxLength: 3 }),
      seed: fc.float({ noNaN: true }),
    }),
    { selector: ({ name }) => name, maxLength: 5 },
  )
  .map(
    (entries) =>
      new Map(
        entries.map(({ name, shape, seed }) => [
          name,
          { shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i === 0 ? seed : seed * i + 0.1)) },
        ]),
      ),
  );

describe("safetensors of the Python package", () => {
  it.each(["float32", "mixed"] as const)("are read: %s", (name) => {
    const parsed = parseSafetensors(bytesOf(fixture[name]));
    expect(Object.fromEntries(parsed)).toEqual(Object.fromEntries(tensorsOf(fixture[name])));
  });

  it("are written, byte for byte", () => {
    expect(encodeSafetensors(tensorsOf(fixture.float32))).toEqual(bytesOf(fixture.float32));
  });

  it("are refused with a dtype that is not supported", () => {
    expect(() => parseSafetensors(bytesOf(fixture.unsupported))).toThrow(
      expect.objectContaining({ code: "data", message: expect.stringContaining('tensor "half" has dtype F16') }),
    );
  });
});

describe("safetensors round trips", () => {
  it("give back what was written", () => {
    fc.assert(
      fc.property(tensorMaps, (tensors) => {
        const parsed = parseSafetensors(encodeSafetensors(tensors));
        expect(new Map(parsed)).toEqual(tensors);
      }),
    );
  });

  it("keep every bit of odd numbers", () => {
    const data = Float32Array.of(-0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, -3.4028234663852886e38);
    const parsed = parseSafetensors(encodeSafetensors(new Map([["odd", { shape: [5], data }]])));
    expect([...(parsed.get("odd")?.data ?? [])].map((value) => Object.is(value, -0) || value)).toEqual([
      true,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1.401298464324817e-45,
      -3.4028234663852886e38,
    ]);
  });

  it("start the data at a multiple of eight bytes, whatever the names", () => {
    fc.assert(
      fc.property(tensorMaps, (tensors) => {
        const bytes = encodeSafetensors(tensors);
        expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
      }),
    );
  });

  it("work on bytes that lie anywhere in a buffer", () => {
    const bytes = bytesOf(fixture.float32);
    const shifted = new Uint8Array(bytes.length + 7);
    shifted.set(bytes, 3);
    const parsed = parseSafetensors(shifted.subarray(3, 3 + bytes.length));
    expect(Object.fromEntries(parsed)).toEqual(Object.fromEntries(tensorsOf(fixture.float32)));
  });

  it("are refused for data that do not fit their shape, and for the name of the metadata", () => {
    const data = new Float32Array(3);
    expect(() => encodeSafetensors(new Map([["a", { shape: [2], data }]]))).toThrow(/"a" has 3 numbers/);
    expect(() => encodeSafetensors(new Map([["__metadata__", { shape: [3], data }]]))).toThrow(/__metadata__/);
  });
});

describe("malformed safetensors", () => {
  it.each<[string, Uint8Array, RegExp]>([
    ["empty", new Uint8Array(0), /shorter than/],
    ["cut in the header length", new Uint8Array(7), /shorter than/],
    ["header length beyond the file", fileOf({}, 0, 3n), /says 3 bytes/],
    ["header length beyond any file", fileOf({}, 0, 2n ** 64n - 1n), /says \d+ bytes/],
    ["header that is no JSON", fileOf("{]", 0), /no JSON/],
    ["header that is null", fileOf(null, 0), /no JSON object/],
    ["header that is an array", fileOf([], 0), /no JSON object/],
    ["entry that is null", fileOf({ a: null }, 0), /"a" is malformed/],
    ["entry without a shape", fileOf({ a: { dtype: "F32", data_offsets: [0, 4] } }, 4), /"a" is malformed/],
    ["shape with a fraction", fileOf({ a: entry("F32", [0.5], [0, 2]) }, 2), /"a" is malformed/],
    ["shape with a negative", fileOf({ a: entry("F32", [-1, -1], [0, 4]) }, 4), /"a" is malformed/],
    ["one offset", fileOf({ a: entry("F32", [1], [0]) }, 4), /"a" is malformed/],
    ["dtype of integers", fileOf({ a: entry("I64", [1], [0, 8]) }, 8), /dtype I64/],
    ["dtype with the name of a method", fileOf({ a: entry("toString", [1], [0, 8]) }, 8), /dtype toString/],
    ["data beyond the file", fileOf({ a: entry("F32", [2], [0, 8]) }, 7), /do not fit/],
    ["fewer data than the shape", fileOf({ a: entry("F32", [2], [0, 4]) }, 4), /do not fit/],
    ["more data than the shape", fileOf({ a: entry("F32", [1], [0, 8]) }, 8), /do not fit/],
    ["offsets that start in the header", fileOf({ a: entry("F32", [1], [-4, 0]) }, 4), /do not fit/],
    [
      "tensors that overlap",
      fileOf({ a: entry("F32", [2], [0, 8]), b: entry("F32", [1], [4, 8]) }, 8),
      /overlap or leave a gap/,
    ],
    [
      "a gap between tensors",
      fileOf({ a: entry("F32", [1], [0, 4]), b: entry("F32", [1], [8, 12]) }, 12),
      /overlap or leave a gap/,
    ],
    ["bytes after the last tensor", fileOf({ a: entry("F32", [1], [0, 4]) }, 5), /overlap or leave a gap/],
  ])("are refused: %s", (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, "weights.safetensors")).toThrow(
      expect.objectContaining({ code: "data", where: "weights.safetensors", message: expect.stringMatching(message) }),
    );
  });

  it("are refused wherever a good file is cut, never read as a smaller one", () => {
    const bytes = bytesOf(fixture.mixed);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => parseSafetensors(bytes.subarray(0, length))).toThrow(MerclabError);
      }),
    );
  });

  it("never cause any other error, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(16), (header, dataBytes) => {
        try {
          parseSafetensors(fileOf(JSON.stringify(header), dataBytes));
        } catch (error) {
          expect(error).toBeInstanceOf(MerclabError);
        }
      }),
    );
  });
});
