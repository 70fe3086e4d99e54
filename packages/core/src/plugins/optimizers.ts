// Optimisers by name.
import { z } from "zod";
import type { OptimizerSite } from "../contracts/optimizer.ts";
import { definePlugin } from "../contracts/plugins.ts";
import { createAdam } from "../optimizers/adam.ts";
import type { Schedule } from "../optimizers/schedule.ts";
import { createSgd } from "../optimizers/sgd.ts";

const lr = z.number().positive();
const weightDecay = z.number().nonnegative();
const maxGradientNorm = z.number().positive().nullable().default(null);
/** How the learning rate changes; lengths in epochs. See `Schedule`. */
const scheduleOptions = z
  .strictObject({
    kind: z.enum(["constant", "linear", "cosine", "exponential", "staircase"]).default("constant"),
    warmupEpochs: z.number().nonnegative().default(0),
    floor: z.number().min(0).max(1).default(0),
    gamma: z.number().positive().max(1).default(0.95),
    everyEpochs: z.number().positive().default(10),
  })
  .prefault({});

/** The schedule in steps; absent where the learning rate stays as it is. */
function inSteps(given: z.output<typeof scheduleOptions>, site: OptimizerSite): { readonly schedule?: Schedule } {
  const { kind, warmupEpochs, floor, gamma, everyEpochs } = given;
  const { epochs, stepsPerEpoch } = site;
  const warmupSteps = Math.round(warmupEpochs * stepsPerEpoch);
  return kind === "constant" && warmupSteps === 0
    ? {}
    : { schedule: { kind, warmupSteps, totalSteps: epochs * stepsPerEpoch, stepsPerEpoch, floor, gamma, everyEpochs } };
}

const adamShared = {
  schedule: scheduleOptions,
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
  epsilon: z.number().positive().default(1e-8),
  maxGradientNorm,
};

export const adamPlugin = definePlugin({
  kind: "optimizer",
  name: "adam",
  summary: "Adam, weight decay coupled into the gradient as in PyTorch's Adam",
  options: z.strictObject({ lr: lr.default(1e-4), weightDecay: weightDecay.default(1e-5), ...adamShared }),
  create: ({ schedule, ...options }, site) => createAdam({ ...options, ...inSteps(schedule, site), decay: "coupled" }),
});

export const adamwPlugin = definePlugin({
  kind: "optimizer",
  name: "adamw",
  summary: "AdamW: Adam with decoupled weight decay",
  options: z.strictObject({ lr: lr.default(1e-4), weightDecay: weightDecay.default(1e-2), ...adamShared }),
  create: ({ schedule, ...options }, site) =>
    createAdam({ ...options, ...inSteps(schedule, site), decay: "decoupled" }),
});

export const sgdPlugin = definePlugin({
  kind: "optimizer",
  name: "sgd",
  summary: "Stochastic gradient descent with momentum",
  options: z.strictObject({
    lr: lr.default(1e-2),
    momentum: z.number().min(0).lt(1).default(0.9),
    weightDecay: weightDecay.default(0),
    schedule: scheduleOptions,
    maxGradientNorm,
  }),
  create: ({ schedule, ...options }, site) => createSgd({ ...options, ...inSteps(schedule, site) }),
});
