// Gradient modulation on numbers worked by hand: scores, ratios, damping, windows, clipping and noise.
import { scalar, type Tensor, tensor1d, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Balancer,
  createEagerEngine,
  createModulation,
  createRandomSource,
  keyFromSeed,
  type ModulationOptions,
  type ModulationRule,
  meanOfOthers,
  weakest,
} from "../src/index.ts";

const OPTIONS: ModulationOptions = { alpha: 0.5, kappa: "jump", startEpoch: 1, endEpoch: null, maxGradientNorm: null };
const SITE = { modalities: ["text", "audio"], parametersOf: { text: ["t"], audio: ["a"] } };

// Two tokens of class 0 and 1, and one padding token; text gives the true classes 0.8 and 0.6, audio 0.4 and 0.3.
const logit = (p: number): number[] => [Math.log(p), Math.log(1 - p)];
const inputs = () => ({
  unimodal: {
    text: tensor2d([logit(0.8), logit(0.4), logit(0.9)]),
    audio: tensor2d([logit(0.4), logit(0.7), logit(0.1)]),
  },
  targets: { labels: tensor1d([0, 1, 0], "int32"), mask: tensor1d([1, 1, 0]) },
});
const gradients = () => ({ t: tensor1d([3, 1]), a: tensor1d([4, -2, 1]), shared: tensor1d([5]) });

function run(balancer: Balancer, context: Parameters<Balancer["balance"]>[2] = {}) {
  return tidy(() => {
    const { gradients: next, shown } = balancer.balance(gradients(), inputs(), context);
    const numbers = (tensors: Readonly<Record<string, Tensor>>) =>
      Object.fromEntries(Object.entries(tensors).map(([name, each]) => [name, [...each.dataSync()]]));
    return { next: numbers(next) as Record<"t" | "a" | "shared", number[]>, shown: numbers(shown) };
  });
}

const quiet = (reference: ModulationRule["reference"]): ModulationRule => ({ reference, noise: "none" });

describe.each(["cpu", "wasm"] as const)("gradient modulation on %s", (backend) => {
  beforeAll(() => createEagerEngine(backend).start());

  it("scales the stronger modality by 1 − tanh(α·ρ), and nothing else", () => {
    const { next, shown } = run(createModulation(quiet(weakest), OPTIONS, SITE));
    expect(shown["ratio.text"]?.[0]).toBeCloseTo(2, 5);
    expect(shown["ratio.audio"]).toEqual([1]);
    expect(shown["kappa.audio"]).toEqual([1]);
    const kappa = 1 - Math.tanh(0.5 * 2);
    expect(next.t[0]).toBeCloseTo(3 * kappa, 5);
    expect(next.t[1]).toBeCloseTo(kappa, 5);
    expect(next.a).toEqual([4, -2, 1]);
    expect(next.shared).toEqual([5]);
  });

  it("of two modalities, the mean of the others is the other one: ratios are each other's inverse", () => {
    const { shown } = run(createModulation(quiet(meanOfOthers), OPTIONS, SITE));
    expect(shown["ratio.text"]?.[0]).toBeCloseTo(2, 5);
    expect(shown["ratio.audio"]?.[0]).toBeCloseTo(0.5, 5);
    expect(shown["kappa.audio"]).toEqual([1]);
  });

  it("smooth damping starts at 1 instead of jumping", () => {
    const { shown } = run(createModulation(quiet(weakest), { ...OPTIONS, kappa: "smooth" }, SITE));
    expect(shown["kappa.text"]?.[0]).toBeCloseTo(1 - Math.tanh(0.5), 5);
  });

  it("works in its window of epochs only; without a clock it works", () => {
    const balancer = createModulation(quiet(weakest), { ...OPTIONS, startEpoch: 4, endEpoch: 6 }, SITE);
    const kappaAt = (epoch?: number) =>
      tidy(
        () =>
          run(balancer, epoch === undefined ? {} : { clock: { epoch: scalar(epoch), progress: scalar(0) } }).shown[
            "kappa.text"
          ]?.[0] ?? Number.NaN,
      );
    const damped = 1 - Math.tanh(1);
    [1, 1, 1, damped, damped, damped, 1, 1].forEach((expected, i) => {
      expect(kappaAt(i + 1), `epoch ${i + 1}`).toBeCloseTo(expected, 5);
    });
    expect(kappaAt()).toBeCloseTo(damped, 5);
  });

  it("clips all gradients first", () => {
    const { next } = run(createModulation(quiet(weakest), { ...OPTIONS, alpha: 0, maxGradientNorm: 1 }, SITE));
    const norm = Math.hypot(3, 1, 4, 2, 1, 5);
    expect(next.t[0]).toBeCloseTo(3 / norm, 5);
    expect(next.shared[0]).toBeCloseTo(5 / norm, 5);
  });

  it.each(["scaled", "unscaled"] as const)("noise has the standard deviation of the %s gradient", (noise) => {
    const site = { modalities: ["text", "audio"], parametersOf: { text: ["t"], audio: [] } };
    const balancer = createModulation({ reference: weakest, noise }, OPTIONS, site);
    const wide = Float32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 3 : -1));
    const drawn = tidy(() => {
      const context = { random: createRandomSource(keyFromSeed(4)) };
      const { gradients: next } = balancer.balance({ t: tensor1d(wide) }, inputs(), context);
      return [...(next.t as Tensor).dataSync()];
    });
    const kappa = 1 - Math.tanh(1);
    const noiseOnly = drawn.map((x, i) => x - kappa * (wide[i] ?? 0));
    const deviation = Math.sqrt(noiseOnly.reduce((sum, x) => sum + x * x, 0) / noiseOnly.length);
    expect(deviation / ((noise === "scaled" ? kappa : 1) * 2)).toBeCloseTo(1, 1);
  });

  it("noise on a single number is nothing, not 0/0", () => {
    const site = { modalities: ["text", "audio"], parametersOf: { text: ["shared"], audio: [] } };
    const balancer = createModulation({ reference: weakest, noise: "scaled" }, OPTIONS, site);
    const { next } = run(balancer, { random: createRandomSource(keyFromSeed(4)) });
    expect(next.shared[0]).toBeCloseTo(5 * (1 - Math.tanh(1)), 4);
  });
});
