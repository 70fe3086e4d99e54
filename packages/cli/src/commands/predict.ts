// `exp predict`: a trained model on any feature folder.

import { resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import { graphsFolder, predictFolder, predictionFormat, storedWeights, writePredictions } from "@merclab/runner";
import { Command } from "commander";
import { findTrial } from "../find-trials.ts";
import { printJson, printText } from "../output.ts";
import { engineNamed, openSite } from "../site.ts";
import { parseCount } from "./parse-numbers.ts";

interface Options {
  readonly weights?: string;
  readonly data: string;
  readonly out: string;
  readonly without: readonly string[];
  readonly engine?: string;
  readonly runs: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function predictCommand(): Command {
  return new Command("predict")
    .description("Predict every utterance of a feature folder with a trained model")
    .argument("[run]", "id of a trial, or the beginning of one; may be left out with weights that a trial stored")
    .requiredOption("--data <dir>", "feature folder with a dataset.yaml; labels and parts may be absent")
    .requiredOption("--out <file>", "where predictions go: FILE.csv or FILE.npz")
    .option("--weights <file>", "weights to use: a weights.safetensors of a trial, or others that fit the run's model")
    .option("--without <modalities>", "take these as missing for every utterance", parseNames, [])
    .option("--engine <name>", "another engine than the one that trained the model")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--threads <n>", "threads (default: one per core, where the engine uses several)", parseCount)
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      "\nFeatures are put on the scale of the data that the model was trained on. Labels of the folder are not read." +
        "\nA csv has ids, the prediction and all probabilities; an npz has probabilities (or scores) and rows, the row of" +
        "\nthe folder's table of each utterance.\n\nExamples:\n  $ exp predict 3f2a --data ~/new-corpus --out new.csv\n" +
        "  $ exp predict --weights best.safetensors --data ~/new-corpus --out new.npz --without visual",
    )
    .action(predict);
}

async function predict(run: string | undefined, options: Options): Promise<void> {
  if (run === undefined && options.weights === undefined) {
    throw new MerclabError("config", "which model is to predict?", {
      hint: "Name a run (exp ls runs), or a file of weights: --weights FILE.",
    });
  }
  predictionFormat(options.out);
  const { registry, places } = await openSite({ runs: options.runs });
  const given = options.weights === undefined ? undefined : resolve(options.weights);
  const trial = run === undefined ? undefined : await findTrial(places.runs, run);
  const own = trial === undefined ? undefined : storedWeights(trial);
  const predictions = await predictFolder(
    {
      weights: own ?? given ?? "",
      ...(own === undefined ? {} : { otherWeights: given }),
      data: resolve(options.data),
      without: options.without,
    },
    {
      registry,
      threads: options.threads,
      ...(trial === undefined ? {} : { cacheFolder: graphsFolder(trial.folder) }),
      ...(options.engine === undefined ? {} : { engine: engineNamed(options.engine, registry) }),
    },
  );
  const out = resolve(options.out);
  await writePredictions(out, predictions);
  const { dialogues } = predictions;
  const utterances = dialogues.reduce((sum, { speakers }) => sum + speakers.length, 0);
  if (options.json === true) {
    printJson({ file: out, dialogues: dialogues.length, utterances, task: predictions.task });
  } else {
    printText(`${utterances} utterances of ${dialogues.length} dialogues predicted: ${out}`);
  }
}

function parseNames(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}
