// Predictions of a trained model on a feature folder. A file of weights that a trial stored is enough: it says which
// model it belongs to, and on what scale features are.
import { type Dialogue, MerclabError, outputDim, type Task } from "@merclab/core";
import { loadObserved } from "@merclab/data";
import { createModel, trainerOptions } from "@merclab/trainer";
import { modelParts } from "../config/plan.ts";
import type { ResolvedPart } from "../store/trial-files.ts";
import { type PartsSite, refuseChangedCode, startEngine } from "../study/trial-parts.ts";
import { openPredictor } from "./open-stored-model.ts";
import { readWeightsOrigin } from "./weights-file.ts";

export interface PredictRequest {
  /** A file that a trial stored: its model is the one that predicts. */
  readonly weights: string;
  /** Other weights for that model, e.g. official ones. */
  readonly otherWeights?: string | undefined;
  /** Feature folder; labels and parts may be absent. */
  readonly data: string;
  /** Modalities that are taken as missing for every utterance. */
  readonly without: readonly string[];
}

export interface PredictSite extends Omit<PartsSite, "dataRoot"> {
  /** In the place of the engine that trained the model. */
  readonly engine?: ResolvedPart;
  /** Where compiled graphs are kept, if anywhere. */
  readonly cacheFolder?: string;
}

export interface FolderPredictions {
  readonly task: Task;
  readonly dialogues: readonly Dialogue[];
  /** Per dialogue and utterance the row of the folder's tables, from 0. */
  readonly rows: readonly (readonly number[])[];
  /** Row-major `[utterances, outputDim]`, dialogues end to end. */
  readonly predictions: Float32Array;
}

/** @throws MerclabError `data` where weights, model and folder do not fit together */
export async function predictFolder(
  { weights, otherWeights, data, without }: PredictRequest,
  site: PredictSite,
): Promise<FolderPredictions> {
  const { config, site: known, scales } = await readWeightsOrigin(weights);
  refuseChangedCode(config, site.registry);
  const { modalities, numSpeakers, task } = known;
  const { dialogues, rows } = await loadObserved(data, { modalities, numSpeakers, scales, without });
  const model = createModel(modelParts(config, site.registry), known);
  const { evaluationBatchSize } = trainerOptions.parse(config.trainer.options);
  const { engine } = await startEngine(
    site.engine ?? config.engine,
    { ...site, dataRoot: undefined },
    site.cacheFolder,
  );
  const predictor = await openPredictor(model, otherWeights ?? weights, engine, modalities, evaluationBatchSize);
  try {
    const predictions = await predictor.predict(dialogues);
    const broken = predictions.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      const [dialogue, utterance] = placeOf(dialogues, Math.floor(broken / outputDim(task)));
      throw new MerclabError("data", `the prediction for utterance "${utterance}" is ${predictions[broken]}`, {
        where: `${data} (dialogue "${dialogue}")`,
        hint: "Its features may be far from those that the model was trained on.",
      });
    }
    return { task, dialogues, rows, predictions };
  } finally {
    await predictor.dispose();
  }
}

function placeOf(dialogues: readonly Dialogue[], utterance: number): [dialogue: string, utterance: string] {
  const places = dialogues.flatMap(({ id, utteranceIds }) => utteranceIds.map((each): [string, string] => [id, each]));
  return places[utterance] ?? ["", ""];
}
