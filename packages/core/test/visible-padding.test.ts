// Batches whose padding counts as utterances, and conversions inside differentiated functions.
import { mul, sum, type Tensor2D, tensor1d, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  createEagerEngine,
  createLayout,
  fromVisiblePadding,
  type Inputs,
  packTokens,
  padTokens,
  toVisiblePadding,
  valueAndGradients,
  withVisiblePadding,
} from "../src/index.ts";

/** Dialogues of two and three utterances; the second utterance of the first lacks its text. */
function batch(bucket = {}): Inputs {
  const layout = createLayout([2, 3], bucket);
  const fill = (used: readonly number[]) => Array.from({ length: layout.tokens }, (_, i) => used[i] ?? 7);
  return {
    features: { text: tensor2d(fill([1, 2, 3, 4, 5]), [layout.tokens, 1]) },
    present: { text: tensor1d([1, 0, 1, 1, 1, 0, 0].slice(0, layout.tokens)) },
    speakers: tensor1d(fill([1, 2, 1, 2, 1]), "int32"),
    layout,
  };
}

describe.each(["cpu", "wasm"] as const)("visible padding on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  it("makes padding up to the longest dialogue an observed utterance of zeros", () => {
    tidy(() => {
      const { features, present, speakers, layout } = withVisiblePadding(batch());
      expect([...(features.text as Tensor2D).dataSync()]).toEqual([1, 2, 0, 3, 4, 5]);
      expect([...(present.text?.dataSync() ?? [])]).toEqual([1, 0, 1, 1, 1, 1]);
      expect([...speakers.dataSync()]).toEqual([1, 2, 0, 1, 2, 1]);
      expect([...layout.positions.dataSync()]).toEqual([0, 1, 2, 0, 1, 2]);
      expect([...layout.tokenMask.dataSync()]).toEqual([1, 1, 1, 1, 1, 1]);
      expect(layout.tokens).toBe(6);
    });
  });

  it("leaves what a bucket rounds up invisible", () => {
    tidy(() => {
      const { features, present, layout } = withVisiblePadding(batch({ tokens: 7, time: 4 }));
      expect([...(features.text as Tensor2D).dataSync()]).toEqual([1, 2, 0, 0, 3, 4, 5, 0]);
      expect([...(present.text?.dataSync() ?? [])]).toEqual([1, 0, 1, 0, 1, 1, 1, 0]);
      expect([...layout.mask.dataSync()]).toEqual([1, 1, 1, 0, 1, 1, 1, 0]);
    });
  });

  it("converts rows there and back", () => {
    tidy(() => {
      const { features, layout } = batch();
      const seen = toVisiblePadding(features.text as Tensor2D, layout);
      expect([...fromVisiblePadding(seen, layout).dataSync()]).toEqual([1, 2, 3, 4, 5]);
    });
  });

  it("has gradients where the layout itself is made within the differentiated function", () => {
    tidy(() => {
      const inputs = batch();
      const x = tensor2d([1, 2, 3, 4, 5], [5, 1]);
      const { gradients } = valueAndGradients(
        () => {
          const visible = withVisiblePadding(inputs);
          const padded = padTokens(toVisiblePadding(x, inputs.layout), visible.layout);
          const weights = tensor2d([1, 2, 3, 4, 5, 6], [6, 1]);
          return sum(mul(packTokens(padded, visible.layout), weights));
        },
        { x },
      );
      expect([...(gradients.x?.dataSync() ?? [])]).toEqual([1, 2, 4, 5, 6]);
    });
  });
});
