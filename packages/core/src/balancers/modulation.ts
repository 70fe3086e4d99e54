// On-the-fly gradient modulation: each modality is scored by the probability that the classifier gives the true class
// from it alone, the stronger ones get smaller gradients, and noise makes up for what is lost in exploration.
// OGM-GE: X. Peng, Y. Wei, A. Deng, D. Wang, D. Hu, CVPR 2022, for two modalities; more by Ada2I (fusion-ada2i).
import {
  add,
  cast,
  clipByValue,
  div,
  greater,
  maximum,
  mean,
  minimum,
  mul,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Balancer, BalancerInputs, BalancerSite } from "../contracts/balancer.ts";
import type { Context } from "../contracts/modules.ts";
import { classTargets } from "../contracts/task.ts";
import { clipByGlobalNorm } from "../optimizers/gradients.ts";
import type { Parameters } from "../parameters/parameters.ts";
import { oneHotRows } from "../tensors/layers.ts";

/** Divides by it where a modality gives the true classes no probability at all. */
const SMALLEST_SCORE = 1e-12;

/** Standard deviation of the noise where a gradient is the same everywhere. */
const SMALLEST_DEVIATION = 1e-8;

export const modulationOptions = {
  /** α of κ = 1 − tanh(α·ρ). */
  alpha: z.number().nonnegative(),
  /**
   * `jump`: κ = 1 − tanh(α·ρ) where ρ > 1, else 1: every modality but the weakest is damped, even in balance.
   * `smooth`: κ = 1 − tanh(α·(ρ − 1)) where ρ > 1.
   */
  kappa: z.enum(["jump", "smooth"]).default("jump"),
  /** First epoch of scaling and noise, from 1. */
  startEpoch: z.int().positive().default(1),
  /** Last epoch of scaling and noise; null = to the end. */
  endEpoch: z.int().positive().nullable().default(null),
  /** Largest global gradient norm before scaling and noise; null = no clipping. */
  maxGradientNorm: z.number().positive().nullable().default(null),
};

export interface ModulationOptions {
  readonly alpha: number;
  readonly kappa: "jump" | "smooth";
  readonly startEpoch: number;
  readonly endEpoch: number | null;
  readonly maxGradientNorm: number | null;
}

/** What tells one way of modulation from another. */
export interface ModulationRule {
  /** The strength that a modality's score is divided by, given all scores. */
  readonly reference: (scores: Readonly<Record<string, Tensor>>, modality: string) => Tensor;
  /** Which gradient the noise takes its standard deviation from; `none` = no noise. */
  readonly noise: "scaled" | "unscaled" | "none";
}

/** Clips all gradients, then scales those that serve one modality alone by κ and adds noise to them. */
export function createModulation(rule: ModulationRule, options: ModulationOptions, site: BalancerSite): Balancer {
  return {
    needs: new Set(["unimodal" as const, "parameters" as const]),
    balance(gradients, inputs, context) {
      const { maxGradientNorm } = options;
      const clipped = maxGradientNorm === null ? gradients : clipByGlobalNorm(gradients, maxGradientNorm);
      const scores = Object.fromEntries(site.modalities.map((name) => [name, score(name, inputs)]));
      const active = windowOf(options, context);
      const next: Record<string, Tensor> = { ...clipped };
      const shown: Record<string, Tensor> = {};
      for (const modality of site.modalities) {
        const ratio = div(scores[modality] as Tensor, maximum(rule.reference(scores, modality), SMALLEST_SCORE));
        const kappa = sub(1, mul(damping(ratio, options), active));
        shown[`ratio.${modality}`] = ratio;
        shown[`kappa.${modality}`] = kappa;
        for (const name of site.parametersOf[modality] ?? []) {
          const gradient = clipped[name];
          if (gradient !== undefined) {
            next[name] = modulate(gradient, kappa, active, name, rule, context);
          }
        }
      }
      return { gradients: next as Parameters, shown };
    },
  };
}

/** s = Σ over the batch of the probability of the true class, from one modality alone. Scalar. */
function score(modality: string, { unimodal, targets }: BalancerInputs): Tensor {
  const logits = unimodal[modality];
  if (logits === undefined) {
    throw new Error(`balancer: the model gave no logits of ${modality} alone`);
  }
  const chosen = sum(mul(softmax(logits), oneHotRows(classTargets(targets).labels, logits.shape[1])), 1); // [tokens]
  return sum(mul(chosen, targets.mask));
}

/** 1 − κ where the window is open. */
function damping(ratio: Tensor, { alpha, kappa }: ModulationOptions): Tensor {
  const stronger = cast(greater(ratio, 1), "float32");
  return mul(stronger, tanh(mul(kappa === "jump" ? ratio : sub(ratio, 1), alpha)));
}

/** 1 in the epochs of the window, else 0. */
function windowOf({ startEpoch, endEpoch }: ModulationOptions, { clock }: Context): Tensor | number {
  if (clock === undefined || (startEpoch === 1 && endEpoch === null)) {
    return 1;
  }
  const started = clipByValue(add(sub(clock.epoch, startEpoch), 1), 0, 1);
  return endEpoch === null ? started : mul(started, clipByValue(add(sub(endEpoch, clock.epoch), 1), 0, 1));
}

function modulate(
  gradient: Tensor,
  kappa: Tensor,
  active: Tensor | number,
  name: string,
  { noise }: ModulationRule,
  { random }: Context,
): Tensor {
  const scaled = mul(gradient, kappa);
  if (noise === "none" || random === undefined) {
    return scaled;
  }
  const deviation = add(standardDeviation(noise === "scaled" ? scaled : gradient), SMALLEST_DEVIATION);
  const drawn = random.within("balancer").normal(name, gradient.shape);
  return add(scaled, mul(drawn, mul(deviation, active)));
}

/** Over all entries, divided by n − 1, as PyTorch's std; 0 for a single one. */
function standardDeviation(x: Tensor): Tensor {
  return sqrt(div(sum(square(sub(x, mean(x)))), Math.max(x.size - 1, 1)));
}

/** The smallest score of all: the weakest modality's ratio is exactly 1. */
export function weakest(scores: Readonly<Record<string, Tensor>>): Tensor {
  return Object.values(scores).reduce((a, b) => minimum(a, b));
}

/** The mean score of the other modalities; its own where it is alone. */
export function meanOfOthers(scores: Readonly<Record<string, Tensor>>, modality: string): Tensor {
  const others = Object.entries(scores).filter(([name]) => name !== modality);
  const [first, ...rest] = others.map(([, value]) => value);
  return first === undefined
    ? (scores[modality] as Tensor)
    : div(
        rest.reduce((total, value) => add(total, value), first),
        others.length,
      );
}
