// Random tensors for model code, drawn on the host from a key: the same bits on every engine.
import { tensor } from "@tensorflow/tfjs-core";
import type { RandomSource } from "../contracts/modules.ts";
import { sizeOf } from "../parameters/parameters.ts";
import { drawNormal } from "./draw.ts";
import { fillDropoutMask } from "./dropout.ts";
import { foldKey, type Key } from "./key.ts";

/** What is drawn at a site. */
export type Draw = { readonly kind: "dropout-mask"; readonly rate: number } | { readonly kind: "normal" };

/** A random source that tells its key: an engine may then draw the same numbers into memory of its own. */
export interface KeyedSource extends RandomSource {
  readonly key: Key;
  within(name: string): KeyedSource;
}

/** The numbers of a site under the key of its source, written into `out`, row-major. */
export function fillRandom(key: Key, site: string, draw: Draw, shape: readonly number[], out: Float32Array): void {
  if (draw.kind === "dropout-mask") {
    fillDropoutMask(foldKey(key, "mask", site), shape, draw.rate, out);
  } else {
    out.set(drawNormal(foldKey(key, "normal", site), out.length));
  }
}

/** Random tensors of one training step. */
export function createRandomSource(key: Key): KeyedSource {
  const drawn = (site: string, draw: Draw, shape: readonly number[]) => {
    const out = new Float32Array(sizeOf(shape));
    fillRandom(key, site, draw, shape, out);
    return tensor(out, [...shape]);
  };
  return {
    key,
    dropoutMask: (site, shape, rate) => drawn(site, { kind: "dropout-mask", rate }, shape),
    normal: (site, shape) => drawn(site, { kind: "normal" }, shape),
    within: (name) => createRandomSource(foldKey(key, name)),
  };
}

/** Tells a random source from the trees of tensors that a compiled function takes besides. */
export function isKeyedSource(value: unknown): value is KeyedSource {
  return (
    typeof value === "object" &&
    value !== null &&
    "key" in value &&
    ["dropoutMask", "normal", "within"].every((name) => name in value && typeof Reflect.get(value, name) === "function")
  );
}
