// Optimisers by name.
import { z } from "zod";
import { definePlugin } from "../contracts/plugins.ts";
import { createAdam } from "../optimizers/adam.ts";
import { createSgd } from "../optimizers/sgd.ts";

const lr = z.number().positive();
const weightDecay = z.number().nonnegative();
const maxGradientNorm = z.number().positive().nullable().default(null);
const adamShared = {
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
  epsilon: z.number().positive().default(1e-8),
  maxGradientNorm,
};

export const adamPlugin = definePlugin({
  kind: "optimizer",
  name: "adam",
  summary: "Adam, weight decay coupled into the gradient as in PyTorch's Adam",
  options: z.strictObject({ lr: lr.default(1e-4), weightDecay: weightDecay.default(1e-5), ...adamShared }),
  create: (options) => createAdam({ ...options, decay: "coupled" }),
});

export const adamwPlugin = definePlugin({
  kind: "optimizer",
  name: "adamw",
  summary: "AdamW: Adam with decoupled weight decay",
  options: z.strictObject({ lr: lr.default(1e-4), weightDecay: weightDecay.default(1e-2), ...adamShared }),
  create: (options) => createAdam({ ...options, decay: "decoupled" }),
});

export const sgdPlugin = definePlugin({
  kind: "optimizer",
  name: "sgd",
  summary: "Stochastic gradient descent with momentum",
  options: z.strictObject({
    lr: lr.default(1e-2),
    momentum: z.number().min(0).lt(1).default(0.9),
    weightDecay: weightDecay.default(0),
    maxGradientNorm,
  }),
  create: (options) => createSgd(options),
});
