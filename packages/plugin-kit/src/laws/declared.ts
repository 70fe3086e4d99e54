// What a plugin says of itself: options, parameters, and the shapes of what it gives.
import { isDeepStrictEqual } from "node:util";
import {
  type Balancer,
  type Encoder,
  type Fusion,
  type FusionOutputs,
  foldKey,
  type Gaussian,
  keyFromSeed,
  type Objective,
  type ParameterSpec,
  type Parameters,
  sizeOf,
} from "@merclab/core";
import { balancedGradients, type ModelParts } from "@merclab/trainer";
import { dispose, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { Finding, Law } from "../law.ts";
import { batchWithHoles, CLASSES, toTensors } from "../material/batch.ts";
import { drawnParameters, randomOf } from "../material/evaluate.ts";
import { modelOf } from "../subject.ts";

export const optionsLaw: Law = {
  name: "options",
  says: "options are complete, can be stored, and what is misspelt is refused",
  advice: "Make options a z.strictObject({ … }) with a .default() for each option, of plain numbers, texts and lists.",
  engine: "wasm",
  check: ({ kind, parts }) => {
    const part = parts[kind];
    if (part === undefined) {
      throw new Error(`the model has no ${kind}`);
    }
    const schema = part.plugin.options;
    const problems: string[] = [];
    const stored: unknown = JSON.parse(JSON.stringify(part.options));
    const again = schema.safeParse(stored);
    if (!again.success || !isDeepStrictEqual(again.data, stored)) {
      problems.push("options that were stored as JSON and read again are others");
    }
    if (schema.safeParse({ ...(stored as object), "no-such-option": 1 }).success) {
      problems.push("an unknown option is accepted, so that a misspelt one would have no effect");
    }
    const named = Object.entries(part.options as object).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
    return { figures: named.length === 0 ? "none" : named.join(", "), problems };
  },
};

export const parametersLaw: Law = {
  name: "parameters",
  says: "parameters have names, shapes and initial values that follow from the seed",
  advice: "Declare each parameter once, as { name, shape, initial }, and draw initial values from the key alone.",
  engine: "wasm",
  check: (subject) => {
    const model = modelOf(subject);
    const problems: string[] = [];
    const first = modelOf(subject).parameters;
    if (JSON.stringify(describe(first)) !== JSON.stringify(describe(model.parameters))) {
      problems.push("made twice, the model declares other parameters");
    }
    for (const { name, shape, initial } of model.parameters) {
      if (shape.some((size) => !Number.isInteger(size) || size < 1)) {
        problems.push(`${name} has the shape [${shape.join(", ")}]`);
        continue;
      }
      const key = foldKey(keyFromSeed(0), name);
      const [values, again] = [initial(key, shape), initial(key, shape)];
      if (values.length !== sizeOf(shape)) {
        problems.push(`${name} [${shape.join(", ")}] starts with ${values.length} values`);
      } else if (!values.every(Number.isFinite)) {
        problems.push(`${name} starts with values that are not finite`);
      } else if (values.some((value, i) => value !== again[i])) {
        problems.push(`${name} starts with other values each time`);
      }
    }
    const { trainable, total } = model.count;
    return { figures: `${trainable} trainable of ${total} in the model`, problems };
  },
};

function describe(specs: readonly ParameterSpec[]): readonly unknown[] {
  return specs.map(({ name, shape, frozen }) => [name, shape, frozen]);
}

export const shapesLaw: Law = {
  name: "shapes",
  says: "what comes out has the shapes that were promised",
  advice: "One row per token and one column per number: see the contract of the kind in @merclab/core.",
  engine: "wasm",
  check: (subject) => {
    const seen = new Map<string, string>();
    const problems = new Set<string>();
    const expectShape = (what: string, tensor: Tensor | undefined, wanted: readonly number[]): void => {
      const found = tensor === undefined ? "nothing" : `[${tensor.shape.join(", ")}]`;
      seen.set(what, found);
      if (found !== `[${wanted.join(", ")}]`) {
        problems.add(`${what} is ${found}, expected [${wanted.join(", ")}]`);
      }
    };
    const model = modelOf({ parts: watched(subject.parts, expectShape) });
    const parameters = drawnParameters(model);
    const batch = toTensors(batchWithHoles());
    tidy(() => {
      const logits = model.logits(parameters, batch.inputs, {});
      expectShape("logits", logits, [batch.inputs.layout.tokens, CLASSES.length]);
    });
    tidy(() => balancedGradients(model, parameters, batch, randomOf(1)).losses.total);
    batch.dispose();
    dispose(parameters);
    const own = [...seen].filter(([what]) => what.startsWith(subject.kind));
    const shown = own.map(([what, shape]) => `${what.slice(subject.kind.length + 1)} ${shape}`);
    return { figures: shown.slice(0, 6).join(", "), problems: [...problems] } satisfies Finding;
  },
};

type ExpectShape = (what: string, tensor: Tensor | undefined, wanted: readonly number[]) => void;

/** The same parts, with an eye on what each gives. */
function watched({ encoder, fusion, objective, balancer }: ModelParts, expectShape: ExpectShape): ModelParts {
  return {
    encoder: watch(encoder, (made) => watchEncoder(made, expectShape)),
    fusion: watch(fusion, (made, { dim }) => watchFusion(made, dim, expectShape)),
    objective: watch(objective, (made) => watchObjective(made, expectShape)),
    ...(balancer === undefined ? {} : { balancer: watch(balancer, (made) => watchBalancer(made, expectShape)) }),
  };
}

function watch<O, S, P>(
  part: { readonly plugin: { create(options: O, site: S): P }; readonly options: unknown },
  change: (made: P, site: S) => P,
): never {
  const { plugin } = part;
  const create = (options: O, site: S): P => change(plugin.create(options, site), site);
  return { ...part, plugin: { ...plugin, create } } as never;
}

function watchEncoder(made: Encoder, expectShape: ExpectShape): Encoder {
  return {
    ...made,
    apply: (parameters, inputs, context) => {
      const streams = made.apply(parameters, inputs, context);
      for (const name of made.modalities) {
        expectShape(`encoder ${name}`, streams[name], [inputs.layout.tokens, made.dim]);
      }
      return streams;
    },
  };
}

function watchFusion(made: Fusion, dim: number, expectShape: ExpectShape): Fusion {
  return {
    ...made,
    apply: (parameters, streams, inputs, context) => {
      const outputs = made.apply(parameters, streams, inputs, context);
      const { tokens } = inputs.layout;
      expectShape("fusion fused", outputs.fused, [tokens, made.dim]);
      const names = Object.keys(streams);
      if (made.gives.has("streams")) {
        for (const name of names) {
          expectShape(`fusion streams.${name}`, outputs.streams?.[name], [tokens, made.streamDim ?? dim]);
        }
      }
      if (made.gives.has("alone")) {
        for (const name of names) {
          expectShape(`fusion alone(${name})`, outputs.alone?.(name), [tokens, made.dim]);
        }
      }
      if (made.gives.has("latent")) {
        expectGaussian("fusion latent.fused", outputs.latent?.fused, [tokens, made.latent?.dim ?? 0], expectShape);
      }
      expectScalars("fusion losses", outputs.losses, expectShape);
      return outputs;
    },
  };
}

function expectGaussian(
  what: string,
  gaussian: Gaussian | undefined,
  shape: readonly number[],
  expectShape: ExpectShape,
): void {
  expectShape(`${what}.mean`, gaussian?.mean, shape);
  expectShape(`${what}.logVariance`, gaussian?.logVariance, shape);
}

function expectScalars(what: string, given: FusionOutputs["losses"], expectShape: ExpectShape): void {
  for (const [name, value] of Object.entries(given ?? {})) {
    expectShape(`${what}.${name}`, value, []);
  }
}

function watchObjective(made: Objective, expectShape: ExpectShape): Objective {
  return {
    ...made,
    loss: (...given) => {
      const loss = made.loss(...given);
      expectShape("objective total", loss.total, []);
      expectScalars("objective terms", loss.terms, expectShape);
      return loss;
    },
  };
}

function watchBalancer(made: Balancer, expectShape: ExpectShape): Balancer {
  return {
    ...made,
    balance: (gradients: Parameters, ...rest) => {
      const balanced = made.balance(gradients, ...rest);
      for (const [name, gradient] of Object.entries(gradients)) {
        expectShape(`balancer ${name}`, balanced.gradients[name], gradient.shape);
      }
      expectScalars("balancer shown", balanced.shown, expectShape);
      return balanced;
    },
  };
}
