// Models of chosen plugins, out of all that a model of merclab can be made of.
import { corePlugins, type Plugin } from "@merclab/core";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as ada2iPlugins } from "@merclab/fusion-ada2i";
import { plugins as baselinePlugins } from "@merclab/fusion-baselines";
import { plugins as cmathPlugins } from "@merclab/fusion-cmath";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { modelOf as modelOfParts } from "@merclab/plugin-kit";
import type { Model, ModelParts } from "@merclab/trainer";

export const ALL: readonly Plugin[] = [
  ...corePlugins,
  ...encoderPlugins,
  ...sdtPlugins,
  ...lmamPlugins,
  ...ada2iPlugins,
  ...cmathPlugins,
  ...baselinePlugins,
];

type Options = Readonly<Record<string, unknown>>;
type Kind = "encoder" | "fusion" | "objective" | "balancer";

export interface ModelChoice {
  readonly encoder: readonly [string, Options?];
  readonly fusion: readonly [string, Options?];
  readonly objective?: readonly [string, Options?];
  readonly balancer?: readonly [string, Options?];
}

export function partsOf(choice: ModelChoice): ModelParts {
  const part = <K extends Kind>(kind: K, [name, options = {}]: readonly [string, Options?]): ModelParts[K] => {
    const plugin = ALL.find((each) => each.kind === kind && each.name === name);
    if (plugin === undefined) {
      throw new Error(`no ${kind} ${name}`);
    }
    return { plugin, options: plugin.options.parse(options) } as ModelParts[K];
  };
  return {
    encoder: part("encoder", choice.encoder),
    fusion: part("fusion", choice.fusion),
    objective: part("objective", choice.objective ?? ["cross-entropy"]),
    ...(choice.balancer === undefined
      ? {}
      : { balancer: part("balancer", choice.balancer) as NonNullable<ModelParts["balancer"]> }),
  };
}

export function modelOf(choice: ModelChoice, modalities?: readonly string[]): Model {
  return modelOfParts({ parts: partsOf(choice) }, modalities);
}
