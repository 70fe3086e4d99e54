// safetensors: an 8-byte header length, a JSON header, raw little-endian numbers, which are read when asked for.
// https://github.com/huggingface/safetensors
import { closeSync, fstatSync, openSync } from "node:fs";
import { MerclabError } from "@merclab/core";
import { Bytes, dtypeFromDescr, fileSource, NdArray } from "@merclab/pickle";
import { z } from "zod";

const DTYPES: Readonly<Record<string, string>> = {
  F64: "<f8",
  F32: "<f4",
  F16: "<f2",
  BF16: "B2",
  I64: "<i8",
  I32: "<i4",
  I16: "<i2",
  I8: "|i1",
  U8: "|u1",
  U16: "<u2",
  U32: "<u4",
  U64: "<u8",
  BOOL: "|b1",
};

const MAX_HEADER = 100e6;

const tensorSchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const headerSchema = z.record(z.string(), z.unknown());

/** @throws MerclabError `data` */
export function openSafetensors(path: string): { value: Map<string, NdArray>; close(): void } {
  const descriptor = openSync(path, "r");
  try {
    const value = parse(new Bytes(fileSource(descriptor, fstatSync(descriptor).size)), path);
    return { value, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function parse(bytes: Bytes, path: string): Map<string, NdArray> {
  const damaged = (message: string): MerclabError =>
    new MerclabError("data", `not a readable safetensors file: ${message}`, { where: path });
  if (bytes.length < 8) {
    throw damaged("it is shorter than its header's length");
  }
  const length = Number(bytes.read(0, 8).readBigUInt64LE());
  const start = 8 + length;
  if (length > MAX_HEADER || start > bytes.length) {
    throw damaged("it is cut off, or damaged");
  }
  let header: Record<string, unknown>;
  try {
    header = headerSchema.parse(JSON.parse(bytes.read(8, start).toString("utf8")));
  } catch {
    throw damaged("its header is no JSON object");
  }
  const value = new Map<string, NdArray>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      continue;
    }
    const parsed = tensorSchema.safeParse(entry);
    const descr = parsed.success ? DTYPES[parsed.data.dtype] : undefined;
    if (!parsed.success || descr === undefined) {
      throw damaged(`tensor "${name}" is of a type that is not read`);
    }
    const [from, to] = parsed.data.data_offsets;
    if (from > to || start + to > bytes.length) {
      throw damaged(`tensor "${name}" lies outside of the file`);
    }
    const storage = bytes.slice(start + from, start + to);
    value.set(name, new NdArray({ dtype: dtypeFromDescr(descr), shape: parsed.data.shape, fortran: false, storage }));
  }
  return value;
}
