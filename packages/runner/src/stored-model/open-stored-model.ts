// A trained model from its trial's folder: data set, engine and parts as the spec says, with the weights of the epoch
// that validation chose.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Dialogue, type Engine, type LoadedDataset, MerclabError } from "@merclab/core";
import { createPredictor, createShower, loadWeights, type Model, type ShownArray } from "@merclab/trainer";
import { dispose } from "@tensorflow/tfjs-core";
import { graphsFolder, readTrial, type StoredTrial, TRIAL_FILES } from "../store/experiment-store.ts";
import type { ResolvedPart } from "../store/trial-files.ts";
import { createTrial, loadPlannedData, type PartsSite, refuseChangedCode, startEngine } from "../study/trial-parts.ts";

export interface StoredModelSite extends PartsSite {
  /** Runs the model in the place of the engine that trained it. */
  readonly engine?: ResolvedPart;
  /** Other weights for the same model, e.g. official ones. */
  readonly weights?: string;
}

export interface StoredModel {
  readonly trial: StoredTrial;
  readonly loaded: LoadedDataset;
  readonly model: Model;
  /**
   * Row-major `[utterances, outputDim]`: probabilities, or scores. Dialogues in the order given; on the engine that
   * trained, those of the test part are the stored ones, bit for bit.
   */
  predict(dialogues: readonly Dialogue[]): Promise<Float32Array>;
  /** Gates and attention along one dialogue, by name; none where the fusion shows nothing. */
  show(dialogue: Dialogue): Promise<Readonly<Record<string, ShownArray>>>;
  /** Frees weights and engine. */
  dispose(): Promise<void>;
}

/**
 * @throws MerclabError `storage` when the trial has no weights, `data` or `config` when data, code or weights are not
 *   those of the trial
 */
export async function openStoredModel(folder: string, site: StoredModelSite): Promise<StoredModel> {
  const trial = await readTrial(folder);
  const { spec } = trial;
  const weights = site.weights ?? storedWeights(trial);
  refuseChangedCode(spec.config, site.registry);
  const loaded = await loadPlannedData(spec, site);
  const { engine } = await startEngine(site.engine ?? spec.config.engine, site, graphsFolder(folder));
  const { model, options } = createTrial(spec, loaded.dataset, engine, site.registry);
  const predictor = await openPredictor(model, weights, engine, loaded.dataset.modalities, options.evaluationBatchSize);
  return { trial, loaded, model, ...predictor };
}

/** A model with weights on an engine, which is the predictor's from then on. */
export async function openPredictor(
  model: Model,
  weights: string,
  engine: Engine,
  modalities: LoadedDataset["dataset"]["modalities"],
  batchSize: number,
): Promise<Pick<StoredModel, "predict" | "show" | "dispose">> {
  try {
    const parameters = await loadWeights(model, weights);
    const predict = createPredictor(model, engine, modalities, batchSize);
    const show = createShower(model, engine, modalities);
    return {
      predict: (dialogues) => predict(parameters, dialogues),
      show: (dialogue) => show(parameters, dialogue),
      async dispose() {
        dispose(parameters);
        await engine.dispose();
      },
    };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** The trial's own. @throws MerclabError `storage` with what to do where there are none */
export function storedWeights({ folder, spec, result, status }: StoredTrial): string {
  const file = join(folder, TRIAL_FILES.weights);
  if (result === undefined) {
    throw new MerclabError(
      "storage",
      `run ${spec.id} is not done (${status?.state ?? "planned"}), so it has no weights`,
      {
        where: folder,
        hint: `Finish it first: exp run ${spec.experiment}`,
      },
    );
  }
  if (!existsSync(file)) {
    throw new MerclabError("storage", `run ${spec.id} stored no weights`, {
      where: folder,
      hint:
        "It ran with --keep-weights none, or with a version before weights were kept. Remove its folder and run the " +
        `experiment again to train it anew, with the same numbers: exp run ${spec.experiment}`,
    });
  }
  return file;
}
