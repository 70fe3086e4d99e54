// Random tensors for model code, drawn on the host from a key: the same bits on every engine.
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { RandomSource } from "../contracts/modules.ts";
import { sizeOf } from "../parameters/parameters.ts";
import { drawDropoutMask, drawNormal } from "./draw.ts";
import { foldKey, type Key } from "./key.ts";

/** Random tensors of one training step. */
export function createRandomSource(key: Key): RandomSource {
  return {
    dropoutMask: (site, shape, rate): Tensor =>
      tensor(drawDropoutMask(foldKey(key, "mask", site), sizeOf(shape), rate), [...shape]),
    normal: (site, shape): Tensor =>
      tensor(Float32Array.from(drawNormal(foldKey(key, "normal", site), sizeOf(shape))), [...shape]),
    within: (name) => createRandomSource(foldKey(key, name)),
  };
}

/** Tells a random source from the trees of tensors that a compiled function takes besides. */
export function isRandomSource(value: unknown): value is RandomSource {
  return (
    typeof value === "object" &&
    value !== null &&
    ["dropoutMask", "normal", "within"].every((name) => name in value && typeof Reflect.get(value, name) === "function")
  );
}
