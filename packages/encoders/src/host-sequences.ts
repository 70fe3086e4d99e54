// What recurrent and graph encoders run over: one sequence per modality, or one of all modalities side by side.
import {
  concatLast,
  type EncoderSite,
  type Inputs,
  MerclabError,
  observedFeatures,
  ofModality,
  type ParameterSpec,
} from "@merclab/core";
import type { Tensor2D } from "@tensorflow/tfjs-core";
import { z } from "zod";

/** Stream of all modalities together. */
const JOINT = "joint";

/** `per-modality`: one sequence and one stream each; `concatenated`: all modalities side by side, as one. */
export const inputOption = z.enum(["per-modality", "concatenated"]);

export interface HostSequence {
  /** Of its stream. */
  readonly name: string;
  readonly dim: number;
  /** Modalities that it is made of. */
  readonly sources: readonly string[];
}

export function hostSequences(input: z.output<typeof inputOption>, { modalities }: EncoderSite): HostSequence[] {
  if (input === "per-modality" || modalities.length === 1) {
    return modalities.map(({ name, dim }) => ({ name, dim, sources: [name] }));
  }
  const dim = modalities.reduce((sum, each) => sum + each.dim, 0);
  return [{ name: JOINT, dim, sources: modalities.map(({ name }) => name) }];
}

/** Features of a sequence, zeros where a modality was not observed. `[tokens, dim]` */
export function sequenceRows({ sources }: HostSequence, inputs: Inputs): Tensor2D {
  return concatLast(sources.map((name) => observedFeatures(inputs, name)));
}

/** Parameters of a sequence, which are those of a modality where it has but one. */
export function ofSequence({ sources }: HostSequence, specs: readonly ParameterSpec[]): ParameterSpec[] {
  return sources.length === 1 ? ofModality(sources[0] as string, specs) : [...specs];
}

/** Streams that go through a recurrent layer. @throws MerclabError `combination` for a name that is no stream */
export function contextualStreams(
  encoder: string,
  contextual: "all" | "none" | readonly string[],
  names: readonly string[],
): ReadonlySet<string> {
  if (contextual === "all" || contextual === "none") {
    return new Set(contextual === "all" ? names : []);
  }
  const unknown = contextual.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new MerclabError(
      "combination",
      `encoder ${encoder}: contextual names "${unknown}", which is no stream of it`,
      {
        hint: `Its streams are ${names.join(", ")}; contextual: all takes every one.`,
      },
    );
  }
  return new Set(contextual);
}

/** @throws MerclabError `config` where two directions cannot share the width evenly */
export function halfOf(encoder: string, option: string, dim: number): number {
  if (dim % 2 !== 0) {
    throw new MerclabError("config", `encoder ${encoder}: ${option} ${dim} is odd; each direction has half of it`, {
      hint: `Set ${option} to an even number.`,
    });
  }
  return dim / 2;
}
