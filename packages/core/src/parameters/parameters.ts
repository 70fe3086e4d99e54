// Parameters as data: a part declares names, shapes and initial values; tensors are made from the declaration, so
// counting, checking and loading weights need no memory for them. Names are those of the official state dicts.
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { MerclabError } from "../errors.ts";
import { foldKey, type Key } from "../random/key.ts";
import type { Initializer } from "./initializers.ts";

export interface ParameterSpec {
  /** Unique within a model, e.g. `t_t.transformer_inter.0.self_attn.linear_q.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initializer;
  /** True for tensors that are part of the state dict but never trained. */
  readonly frozen?: boolean;
  /** The one modality that the parameter serves; absent where several share it. Balancers scale gradients by it. */
  readonly modality?: string;
  /** Name of a parameter of the same shape that starts with the same values; its own where absent. */
  readonly startsAs?: string;
}

/** Tensors by name. */
export type Parameters = Readonly<Record<string, Tensor>>;

/** A tensor on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface ParameterCount {
  readonly total: number;
  readonly trainable: number;
}

/** Counts numbers, not tensors. */
export function countParameters(specs: readonly ParameterSpec[]): ParameterCount {
  let total = 0;
  let trainable = 0;
  for (const spec of specs) {
    const size = sizeOf(spec.shape);
    total += size;
    trainable += spec.frozen === true ? 0 : size;
  }
  return { total, trainable };
}

/** Declares that parameters serve one modality alone. */
export function ofModality(modality: string, specs: readonly ParameterSpec[]): ParameterSpec[] {
  return specs.map((spec) => ({ ...spec, modality }));
}

/** One list of all parameters of a model. @throws MerclabError `combination` when two parts use one name */
export function joinSpecs(parts: readonly { readonly parameters: readonly ParameterSpec[] }[]): ParameterSpec[] {
  const specs = parts.flatMap((part) => part.parameters);
  const names = new Set<string>();
  for (const { name } of specs) {
    if (names.has(name)) {
      throw new MerclabError("combination", `two parts of the model own a parameter named "${name}"`);
    }
    names.add(name);
  }
  return specs;
}

/** Initial values: each parameter draws from the key folded with its own name, whatever else is in the model. */
export function initialParameters(specs: readonly ParameterSpec[], key: Key): Record<string, Tensor> {
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      tensor(spec.initial(foldKey(key, spec.startsAs ?? spec.name), spec.shape), [...spec.shape]),
    ]),
  );
}

/**
 * Tensors for the declared parameters from arrays with the same names, e.g. of a safetensors file.
 *
 * @param ignore names in `arrays` that are no parameters, such as the position tables of official weights
 * @throws MerclabError `data` that lists missing, unexpected and misshapen tensors
 */
export function parametersFromArrays(
  specs: readonly ParameterSpec[],
  arrays: ReadonlyMap<string, HostTensor>,
  ignore: (name: string) => boolean = () => false,
): Record<string, Tensor> {
  const problems: string[] = [];
  const known = new Set(specs.map((spec) => spec.name));
  for (const name of arrays.keys()) {
    if (!known.has(name) && !ignore(name)) {
      problems.push(`unexpected tensor "${name}"`);
    }
  }
  for (const spec of specs) {
    const array = arrays.get(spec.name);
    if (array === undefined) {
      problems.push(`missing tensor "${spec.name}" [${spec.shape.join(", ")}]`);
    } else if (array.shape.join() !== spec.shape.join()) {
      problems.push(`tensor "${spec.name}" has shape [${array.shape.join(", ")}], expected [${spec.shape.join(", ")}]`);
    }
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 8).join("; ");
    const more = problems.length > 8 ? ` and ${problems.length - 8} more` : "";
    throw new MerclabError("data", `weights do not fit the model: ${shown}${more}`);
  }
  return Object.fromEntries(
    specs.map((spec) => [spec.name, tensor((arrays.get(spec.name) as HostTensor).data, [...spec.shape])]),
  );
}

/** The tensor of a name. @throws Error when a part reads what it did not declare */
export function parameter(parameters: Parameters, name: string): Tensor {
  const value = parameters[name];
  if (value === undefined) {
    throw new Error(`parameter "${name}" was never declared`);
  }
  return value;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}
