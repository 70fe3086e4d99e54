// `weights.safetensors`: the parameters of the selected epoch under their official names, and in the metadata what it
// takes to build the model again, so that the file is enough to predict with.
import { type FeatureScale, type LoadedDataset, MerclabError } from "@merclab/core";
import { type ModelSite, readWeightsMetadata, type SelectedWeights, writeWeights } from "@merclab/trainer";
import stringify from "safe-stable-stringify";
import type { ResolvedConfig, TrialSpec } from "../store/trial-files.ts";

const FORMAT = "merclab-weights-1";

/** What a file of weights says of itself. */
export interface WeightsOrigin {
  /** Id of the trial: the hash of config, seed and data. */
  readonly trial: string;
  /** From 1. */
  readonly epoch: number;
  readonly dataset: string;
  readonly config: ResolvedConfig;
  readonly site: ModelSite;
  /** By modality: how features become those that the model knows. */
  readonly scales: Readonly<Record<string, FeatureScale>>;
}

/** @throws MerclabError `storage` when the file cannot be written */
export async function storeWeights(
  file: string,
  { epoch, tensors }: SelectedWeights,
  { id, config }: TrialSpec,
  { dataset, scales = {} }: LoadedDataset,
): Promise<void> {
  const { name, modalities, numSpeakers, task, trainClassCounts, trainUtterances } = dataset;
  const site: ModelSite = { modalities, numSpeakers, task, trainClassCounts, trainUtterances };
  await writeWeights(tensors, file, {
    format: FORMAT,
    trial: id,
    epoch: String(epoch),
    dataset: name,
    config: stringify(config) as string,
    site: stringify(site) as string,
    scales: stringify(
      Object.fromEntries(
        Object.entries(scales).map(([modality, { mean, inverse, clip }]) => [
          modality,
          { mean: Array.from(mean), inverse: Array.from(inverse), clip },
        ]),
      ),
    ) as string,
  });
}

/** @throws MerclabError `data` for a file that merclab did not write, e.g. official weights */
export async function readWeightsOrigin(file: string): Promise<WeightsOrigin> {
  const metadata = await readWeightsMetadata(file);
  if (metadata.format !== FORMAT) {
    throw new MerclabError("data", "the weights do not say which model they belong to", {
      where: file,
      hint: "Name a run whose model they fit, too: exp predict RUN --weights FILE …",
    });
  }
  try {
    return parseOrigin(metadata as Readonly<Record<string, string>>);
  } catch (cause) {
    throw new MerclabError("data", "what the weights say of their model cannot be read", {
      where: file,
      hint: "Something else changed the file, or another version wrote it.",
      cause,
    });
  }
}

/** @throws SyntaxError for texts that are absent or no JSON */
function parseOrigin(metadata: Readonly<Record<string, string>>): WeightsOrigin {
  const parse = <T>(name: string): T => JSON.parse(metadata[name] ?? "") as T;
  const scales = parse<Record<string, { mean: number[]; inverse: number[]; clip: number }>>("scales");
  return {
    trial: metadata.trial ?? "",
    epoch: Number(metadata.epoch),
    dataset: metadata.dataset ?? "",
    config: parse("config"),
    site: parse("site"),
    scales: Object.fromEntries(
      Object.entries(scales).map(([modality, { mean, inverse, clip }]) => [
        modality,
        { mean: Float64Array.from(mean), inverse: Float64Array.from(inverse), clip },
      ]),
    ),
  };
}
