// Reads and writes safetensors bytes: an 8-byte little-endian header length, a JSON header, raw little-endian data.
// https://github.com/huggingface/safetensors (format). F32 and F64 are read, F32 is written.
import { MerclabError } from "../errors.ts";
import { type HostTensor, sizeOf } from "./parameters.ts";

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const METADATA = "__metadata__";
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const ITEM_BYTES: ReadonlyMap<string, number> = new Map([
  ["F32", 4],
  ["F64", 8],
]);

/**
 * Tensors by name, as float32.
 *
 * @throws MerclabError `data` when the bytes are no safetensors file, or its tensors do not cover its data exactly
 */
export function parseSafetensors(bytes: Uint8Array, where?: string): Map<string, HostTensor> {
  const fail = (message: string, hint?: string) => refuse(message, where, hint);
  const { header, headerBytes } = readHeader(bytes, where);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors = new Map<string, HostTensor>();
  const spans: [number, number][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) {
      continue;
    }
    if (!isHeaderEntry(entry)) {
      return fail(`the entry of tensor "${name}" is malformed`);
    }
    const itemBytes = ITEM_BYTES.get(entry.dtype);
    if (itemBytes === undefined) {
      return fail(`tensor "${name}" has dtype ${entry.dtype}`, "Save the weights as float32 or float64.");
    }
    const [start, end] = entry.data_offsets;
    const count = sizeOf(entry.shape);
    const at = 8 + headerBytes + start;
    if (end - start !== count * itemBytes || 8 + headerBytes + end > bytes.byteLength || start < 0) {
      fail(`the data of tensor "${name}" do not fit shape [${entry.shape.join(", ")}] or the file`);
    }
    const data = new Float32Array(count);
    if (itemBytes === 4 && LITTLE_ENDIAN) {
      new Uint8Array(data.buffer).set(bytes.subarray(at, at + 4 * count));
    } else {
      for (let i = 0; i < count; i++) {
        data[i] = itemBytes === 4 ? view.getFloat32(at + 4 * i, true) : view.getFloat64(at + 8 * i, true);
      }
    }
    tensors.set(name, { shape: entry.shape, data });
    spans.push([start, end]);
  }
  let covered = 0;
  for (const [start, end] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    covered = start === covered ? end : Number.NaN;
  }
  if (covered !== bytes.byteLength - 8 - headerBytes) {
    fail("its tensors overlap or leave a gap in the data");
  }
  return tensors;
}

/**
 * Texts by name that a file carries besides its tensors; none is none.
 *
 * @throws MerclabError `data` when the bytes are no safetensors file
 */
export function safetensorsMetadata(bytes: Uint8Array, where?: string): Readonly<Record<string, unknown>> {
  const metadata = readHeader(bytes, where).header[METADATA];
  return typeof metadata === "object" && metadata !== null ? (metadata as Record<string, unknown>) : {};
}

/**
 * Float32 tensors to safetensors bytes, in the order of the map.
 *
 * @throws RangeError when data do not fit their shape, or a tensor has the reserved name `__metadata__`
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, HostTensor>): Uint8Array {
  const header = encodeSafetensorsHeader(tensors);
  const arrays = [...tensors.values()].map(({ data }) => data);
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, header.length));
  bytes.set(header);
  let at = header.length;
  for (const data of arrays) {
    bytes.set(littleEndian(data), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * What comes before the data, for a writer that sends these tensor by tensor, each as `littleEndian` gives it.
 *
 * @throws RangeError as `encodeSafetensors`
 */
export function encodeSafetensorsHeader(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, HeaderEntry | Readonly<Record<string, string>>][] = [];
  if (metadata !== undefined) {
    header.push([METADATA, metadata]);
  }
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA) {
      throw new RangeError(`encodeSafetensors: the name "${name}" is reserved`);
    }
    if (data.length !== sizeOf(shape)) {
      throw new RangeError(
        `encodeSafetensors: tensor "${name}" has ${data.length} numbers for shape [${shape.join(", ")}]`,
      );
    }
    header.push([name, { dtype: "F32", shape, data_offsets: [offset, offset + 4 * data.length] }]);
    offset += 4 * data.length;
  }
  // Spaces up to a multiple of eight bytes, so that the data are aligned. (fromEntries: a name may be "__proto__".)
  const encoder = new TextEncoder();
  const json = JSON.stringify(Object.fromEntries(header));
  const unaligned = encoder.encode(json).length % 8;
  const text = encoder.encode(json + " ".repeat(unaligned === 0 ? 0 : 8 - unaligned));
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** The bytes of float32 numbers as files have them; not copied where the machine has them so. */
export function littleEndian(data: Float32Array): Uint8Array {
  if (LITTLE_ENDIAN) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  const bytes = new Uint8Array(data.byteLength);
  const view = new DataView(bytes.buffer);
  data.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return bytes;
}

function refuse(message: string, where: string | undefined, hint?: string): never {
  throw new MerclabError("data", `not a readable safetensors file: ${message}`, { where, hint });
}

function readHeader(bytes: Uint8Array, where: string | undefined) {
  if (bytes.byteLength < 8) {
    refuse("shorter than its 8-byte header length", where);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > bytes.byteLength - 8) {
    refuse(`the header says ${headerBytes} bytes, the file has ${bytes.byteLength}`, where);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  } catch {
    refuse("its header is no JSON", where);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    return refuse("its header is no JSON object", where);
  }
  return { header: header as Readonly<Record<string, unknown>>, headerBytes };
}

function isHeaderEntry(entry: unknown): entry is HeaderEntry {
  const candidate = entry as Partial<HeaderEntry> | null;
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.dtype === "string" &&
    Array.isArray(candidate.shape) &&
    candidate.shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) &&
    Array.isArray(candidate.data_offsets) &&
    candidate.data_offsets.length === 2 &&
    candidate.data_offsets.every((offset) => Number.isSafeInteger(offset))
  );
}
