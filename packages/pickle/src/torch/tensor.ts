// Torch tensors inside a pickle: a nested file in torch's old format holds the storage, the pickle shape and strides.
// https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (_legacy_save)
import { Cursor } from "../cursor.ts";
import { PickleError } from "../errors.ts";
import { createDType, type DType } from "../numpy/dtype.ts";
import { NdArray } from "../numpy/nd-array.ts";
import type { Bytes } from "../source.ts";
import { Global, itemsOf, type LoadNested, type StackItem, TorchStorage } from "../stack.ts";

const DTYPES: Readonly<Record<string, readonly [letter: string, bytes: number]>> = {
  FloatStorage: ["f", 4],
  DoubleStorage: ["f", 8],
  HalfStorage: ["f", 2],
  BFloat16Storage: ["B", 2],
  LongStorage: ["i", 8],
  IntStorage: ["i", 4],
  ShortStorage: ["i", 2],
  CharStorage: ["i", 1],
  ByteStorage: ["u", 1],
  BoolStorage: ["b", 1],
};

export const STORAGE_TYPES: readonly string[] = Object.keys(DTYPES);

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** Magic number, protocol, facts of the system, the storage by a persistent id, its key, its length, its numbers. */
export function readLegacyStorage(content: Bytes, loadNested: LoadNested): TorchStorage {
  const cursor = new Cursor(content.asSource());
  let declared: { dtype: DType; count: number } | undefined;
  const load = () =>
    loadNested(cursor, (id) => {
      declared = storageId(id);
      return declared.count;
    });
  if (load() !== MAGIC || load() !== PROTOCOL) {
    throw new PickleError("unsupported", "a torch tensor is not in the format that pickle.dump writes");
  }
  const system = load();
  if (system instanceof Map && system.get("little_endian") === false) {
    throw new PickleError("unsupported", "a torch tensor was written on a big-endian machine");
  }
  load();
  load(); // keys
  if (declared === undefined) {
    throw new PickleError("damaged", "a torch tensor has no storage");
  }
  const { dtype, count } = declared;
  const stored = cursor.length64();
  if (stored !== count) {
    throw new PickleError("damaged", `a torch storage announces ${count} numbers and holds ${stored}`);
  }
  return new TorchStorage(dtype, cursor.span(count * dtype.itemBytes));
}

/** ("storage", type, key, device, count, view): what a persistent id of torch says. */
function storageId(id: StackItem): { dtype: DType; count: number } {
  const [kind, type, , , count] = itemsOf(id) ?? [];
  const name = type instanceof Global ? type.name.replace(/^torch\./, "") : "";
  const known = DTYPES[name];
  if (kind !== "storage" || known === undefined || typeof count !== "number" || count < 0) {
    throw new PickleError("unsupported", "a torch tensor has a storage of a kind that is not read");
  }
  return { dtype: createDType(known[0], known[1], "<"), count };
}

/** @throws PickleError `unsupported` when the elements of the tensor do not lie one after the other */
export function rebuildTensor(
  { dtype, bytes }: TorchStorage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): NdArray {
  const contiguous = (axes: number[]): boolean => {
    let step = 1;
    return axes.every((axis) => {
      const fits = shape[axis] === 1 || strides[axis] === step;
      step *= shape[axis] as number;
      return fits;
    });
  };
  const axes = [...shape.keys()];
  const rowMajor = contiguous([...axes].reverse());
  const size = shape.reduce((total, dim) => total * dim, 1);
  if (strides.length !== shape.length || (size > 0 && !rowMajor && !contiguous(axes))) {
    throw new PickleError(
      "unsupported",
      `a torch tensor [${shape.join(", ")}] is a view with gaps; save it after .contiguous()`,
    );
  }
  const { itemBytes } = dtype;
  if (offset < 0 || (offset + size) * itemBytes > bytes.length) {
    throw new PickleError("damaged", `a torch tensor [${shape.join(", ")}] is larger than its storage`);
  }
  const content = bytes.slice(offset * itemBytes, (offset + size) * itemBytes);
  return new NdArray({ dtype, shape, fortran: !rowMajor, storage: content });
}
