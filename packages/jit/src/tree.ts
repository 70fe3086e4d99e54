// Trees of tensors: plain objects and arrays with tensors, host values and constants as leaves.
import { Tensor } from "@tensorflow/tfjs-core";
import { JitError } from "./errors.ts";
import { HostValue } from "./host-value.ts";

export type Static = number | string | boolean | bigint | null | undefined;

/** What a tree is without its tensors: enough to build it again around others. */
export type Structure =
  | { readonly kind: "tensor"; readonly at: number }
  | { readonly kind: "host"; readonly at: number }
  | { readonly kind: "static"; readonly value: Static }
  | { readonly kind: "array"; readonly items: readonly Structure[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [string, Structure])[] };

export interface FlatTree {
  readonly structure: Structure;
  /** Each tensor once, in the order of their first places. */
  readonly tensors: readonly Tensor[];
  readonly hostValues: readonly HostValue<unknown>[];
}

/** @param what names the tree in errors, e.g. `argument 0` */
export function flattenTree(tree: unknown, what: string): FlatTree {
  const tensors = new Map<Tensor, number>();
  const hostValues = new Map<HostValue<unknown>, number>();
  const open = new Set<object>();
  const visit = (node: unknown, path: string): Structure => {
    if (node instanceof Tensor) {
      return { kind: "tensor", at: indexIn(tensors, node) };
    }
    if (node instanceof HostValue) {
      return { kind: "host", at: indexIn(hostValues, node) };
    }
    if (typeof node !== "object" || node === null) {
      if (typeof node === "function" || typeof node === "symbol") {
        throw new JitError("argument", `${path}: expected a tree of tensors, got a ${typeof node}`);
      }
      return { kind: "static", value: node as Static };
    }
    if (open.has(node)) {
      throw new JitError("argument", `${path}: the tree contains itself`);
    }
    open.add(node);
    const structure = visitObject(node, path);
    open.delete(node);
    return structure;
  };
  const visitObject = (node: object, path: string): Structure => {
    if (Array.isArray(node)) {
      return { kind: "array", items: node.map((item, i) => visit(item, `${path}[${i}]`)) };
    }
    const prototype: unknown = Object.getPrototypeOf(node);
    if (prototype !== Object.prototype && prototype !== null) {
      const name = node.constructor?.name ?? "unknown";
      throw new JitError(
        "argument",
        `${path}: expected plain objects, arrays, tensors, numbers, strings and booleans, got a ${name}`,
      );
    }
    return {
      kind: "object",
      entries: Object.entries(node).map(([key, value]) => [key, visit(value, `${path}.${key}`)] as const),
    };
  };
  return { structure: visit(tree, what), tensors: [...tensors.keys()], hostValues: [...hostValues.keys()] };
}

export function buildTree(
  structure: Structure,
  tensors: readonly Tensor[],
  hostValues: readonly HostValue<unknown>[] = [],
): unknown {
  switch (structure.kind) {
    case "tensor":
      return tensors[structure.at];
    case "host":
      return hostValues[structure.at];
    case "static":
      return structure.value;
    case "array":
      return structure.items.map((item) => buildTree(item, tensors, hostValues));
    case "object":
      return Object.fromEntries(
        structure.entries.map(([key, entry]) => [key, buildTree(entry, tensors, hostValues)] as const),
      );
  }
}

/** Equal for trees that one graph can serve: same structure, constants, shapes, dtypes, and the same tensors shared. */
export function treeKey({ structure, tensors }: FlatTree): string {
  const shown = JSON.stringify(structure, (_key, value: unknown) => {
    if (typeof value === "string") {
      return `s ${value}`;
    }
    if (typeof value === "bigint" || value === undefined || (typeof value === "number" && !isPlainNumber(value))) {
      return `${typeof value} ${Object.is(value, -0) ? "-0" : String(value)}`;
    }
    return value;
  });
  return `${shown} ${tensors.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`).join(" ")}`;
}

function isPlainNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function indexIn<T>(seen: Map<T, number>, item: T): number {
  const known = seen.get(item);
  if (known !== undefined) {
    return known;
  }
  seen.set(item, seen.size);
  return seen.size - 1;
}
