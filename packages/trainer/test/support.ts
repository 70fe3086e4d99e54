// What the tests of this package share: a small data set in memory, models of real parts, and engines.
import {
  corePlugins,
  createEagerEngine,
  type Dataset,
  type Dialogue,
  drawNormal,
  drawUniform,
  type EagerBackend,
  type Engine,
  foldKey,
  type Key,
  keyFromSeed,
  MerclabError,
  type Optimizer,
  type Plugin,
  type Split,
} from "@merclab/core";
import { plugins as encoders } from "@merclab/encoders";
import { plugins as lmam } from "@merclab/fusion-lmam";
import { plugins as sdt } from "@merclab/fusion-sdt";
import { createModel, type Model, type ModelParts, type ModelSite, type Trial, trainerOptions } from "../src/index.ts";

export const ENGINES: readonly EagerBackend[] = ["cpu", "wasm"];

export async function startEngine(backend: EagerBackend): Promise<Engine> {
  const engine = createEagerEngine(backend);
  await engine.start();
  return engine;
}

export type Options = Readonly<Record<string, unknown>>;

const ALL: readonly Plugin[] = [...corePlugins, ...encoders, ...sdt, ...lmam];

type PartKind = "encoder" | "fusion" | "objective";

export interface Choice {
  readonly encoder?: readonly [string, Options];
  readonly fusion?: readonly [string, Options];
  readonly objective?: readonly [string, Options];
}

/** SDT, as small as it gets. */
export const SDT: Required<Choice> = {
  encoder: ["sdt", { dim: 8, numHeads: 2, dropout: 0.1 }],
  fusion: ["sdt", {}],
  objective: ["self-distillation", { dropout: 0.1 }],
};

export const LMAM: Required<Choice> = {
  encoder: ["transformer", { dim: 8, numHeads: 2, feedForwardFactor: 1, dropout: 0.1 }],
  fusion: ["lmam", { rank: 2 }],
  objective: ["cross-entropy", {}],
};

function plugin<K extends Plugin["kind"]>(kind: K, name: string): Plugin<K> {
  const found = ALL.find((each) => each.kind === kind && each.name === name);
  if (found === undefined) {
    throw new Error(`no ${kind} ${name}`);
  }
  return found as unknown as Plugin<K>;
}

export function partsOf(choice: Choice): ModelParts {
  const part = <K extends PartKind>(kind: K, [name, options]: readonly [string, Options]) => {
    const chosen = plugin(kind, name);
    return { plugin: chosen, options: chosen.options.parse(options) };
  };
  const { encoder, fusion, objective } = { ...SDT, ...choice };
  return { encoder: part("encoder", encoder), fusion: part("fusion", fusion), objective: part("objective", objective) };
}

export function modelOf(choice: Choice, site: ModelSite): Model {
  return createModel(partsOf(choice), site);
}

export function optimizerOf(name: string, options: Options): Optimizer {
  const chosen = plugin("optimizer", name);
  return chosen.create(chosen.options.parse(options), { epochs: 1, stepsPerEpoch: 1 });
}

const WIDTHS = { text: 5, audio: 4, visual: 3 };
const CLASSES = ["calm", "glad", "sad"];

export interface DatasetChoice {
  readonly dialogues?: Readonly<Record<Split, number>>;
  readonly modalities?: readonly (keyof typeof WIDTHS)[];
  readonly seed?: number;
  /** Labels of the test part: absent, as in real data sets; there; or an error for whoever reads them. */
  readonly testLabels?: "absent" | "present" | "alarmed";
}

/** Dialogues of one to six utterances. The text almost tells the label, the other modalities are noise. */
export function tinyDataset(choice: DatasetChoice = {}): Dataset {
  const { dialogues = { train: 6, valid: 4, test: 5 }, seed = 0, testLabels = "absent" } = choice;
  const modalities = (choice.modalities ?? ["text", "audio", "visual"]).map((name) => ({ name, dim: WIDTHS[name] }));
  const part = (split: Split) =>
    Array.from({ length: dialogues[split] }, (_, i) => {
      const key = foldKey(keyFromSeed(seed), split, i);
      return tinyDialogue(`${split}${i}`, key, modalities);
    });
  const train = part("train");
  const trainClassCounts = CLASSES.map((_, c) =>
    train.reduce((sum, { labels }) => sum + (labels?.filter((label) => label === c).length ?? 0), 0),
  );
  return {
    name: "tiny",
    source: "synthetic",
    task: { type: "single-label", classes: CLASSES },
    modalities,
    numSpeakers: 2,
    fingerprint: `tiny-${seed}`,
    splits: { train, valid: part("valid"), test: part("test").map((dialogue) => sealLabels(dialogue, testLabels)) },
    trainClassCounts,
    trainUtterances: trainClassCounts.reduce((sum, count) => sum + count, 0),
  };
}

function tinyDialogue(
  id: string,
  key: Key,
  modalities: readonly { readonly name: string; readonly dim: number }[],
): Dialogue {
  const length = 1 + Math.floor(6 * (drawUniform(foldKey(key, "length"), 1)[0] ?? 0));
  const labels = Int32Array.from(drawUniform(foldKey(key, "labels"), length, 0, CLASSES.length), Math.floor);
  const features = modalities.map(({ name, dim }) => {
    const noise = drawNormal(foldKey(key, name), length * dim);
    const told = (at: number) => (name === "text" && at % dim === labels[Math.floor(at / dim)] ? 2 : 0);
    return [name, Float32Array.from(noise, (value, at) => 0.3 * value + told(at))] as const;
  });
  return {
    id,
    utteranceIds: Array.from({ length }, (_, i) => `${id}.${i}`),
    features: Object.fromEntries(features),
    present: Object.fromEntries(modalities.map(({ name }) => [name, new Uint8Array(length).fill(1)])),
    speakers: Int32Array.from({ length }, (_, i) => i % 2),
    labels,
  };
}

function sealLabels(dialogue: Dialogue, how: NonNullable<DatasetChoice["testLabels"]>): Dialogue {
  if (how === "present") {
    return dialogue;
  }
  const { labels: _, ...rest } = dialogue;
  return how === "absent" ? rest : Object.defineProperty(rest, "labels", { get: alarm, enumerable: true });
}

function alarm(): never {
  throw new Error("somebody read the labels of the test part");
}

export function trialOf(
  engine: Engine,
  choice: Choice & {
    readonly dataset?: Dataset;
    readonly optimizer?: Options;
    readonly options?: Options;
    readonly seed?: number;
  } = {},
): Trial {
  const dataset = choice.dataset ?? tinyDataset({ modalities: ["text", "audio"] });
  return {
    model: modelOf(choice, dataset),
    optimizer: optimizerOf("adam", { lr: 1e-2, ...choice.optimizer }),
    engine,
    dataset,
    options: trainerOptions.parse({ epochs: 2, batchSize: 2, evaluationBatchSize: 2, ...choice.options }),
    seed: choice.seed ?? 1,
  };
}

export async function refusal(act: () => unknown): Promise<MerclabError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof MerclabError) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was refused");
}
