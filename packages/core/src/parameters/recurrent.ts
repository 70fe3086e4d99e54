// Declarations of recurrent layers, with PyTorch's names, order of gates and two biases.
import { uniformFanIn } from "./initializers.ts";
import type { ParameterSpec } from "./parameters.ts";

/** Suffixes of the directions' parameters. */
export const DIRECTIONS = ["", "_reverse"] as const;

export interface RecurrentShape {
  readonly numLayers: number;
  /** True: a second direction from the end of each dialogue, beside the first. */
  readonly bidirectional: boolean;
  /** Between layers. */
  readonly dropout: number;
}

/** `<name>.weight_ih_l0`, … of an LSTM (gates: input, forget, cell, output). */
export function lstmSpecs(
  name: string,
  inDim: number,
  hiddenDim: number,
  shape: Pick<RecurrentShape, "numLayers" | "bidirectional">,
): ParameterSpec[] {
  return layerSpecs(name, 4, inDim, hiddenDim, shape);
}

/** `<name>.weight_ih_l0`, … of a GRU (gates: reset, update, candidate). */
export function gruSpecs(
  name: string,
  inDim: number,
  hiddenDim: number,
  shape: Pick<RecurrentShape, "numLayers" | "bidirectional">,
): ParameterSpec[] {
  return layerSpecs(name, 3, inDim, hiddenDim, shape);
}

/** `<name>.weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` of a GRU's cell. */
export function gruCellSpecs(name: string, inDim: number, hiddenDim: number): ParameterSpec[] {
  return cellSpecs(name, "", 3, inDim, hiddenDim);
}

function layerSpecs(
  name: string,
  gates: number,
  inDim: number,
  hiddenDim: number,
  { numLayers, bidirectional }: Pick<RecurrentShape, "numLayers" | "bidirectional">,
): ParameterSpec[] {
  const directions = bidirectional ? DIRECTIONS : DIRECTIONS.slice(0, 1);
  return Array.from({ length: numLayers }, (_, layer) =>
    directions.flatMap((direction) => {
      const layerDim = layer === 0 ? inDim : hiddenDim * directions.length;
      return cellSpecs(name, `_l${layer}${direction}`, gates, layerDim, hiddenDim);
    }),
  ).flat();
}

function cellSpecs(name: string, suffix: string, gates: number, inDim: number, hiddenDim: number): ParameterSpec[] {
  const initial = uniformFanIn(hiddenDim);
  const named = (part: string, ...shape: number[]) => ({ name: `${name}.${part}${suffix}`, shape, initial });
  return [
    named("weight_ih", gates * hiddenDim, inDim),
    named("weight_hh", gates * hiddenDim, hiddenDim),
    named("bias_ih", gates * hiddenDim),
    named("bias_hh", gates * hiddenDim),
  ];
}
