// `exp data text`: text features from the sentences of a feature folder.
import { addTextFeatures } from "@merclab/data";
import { Command, InvalidArgumentError, Option } from "commander";
import { printJson, printNote, printText } from "../output.ts";

interface Options {
  readonly encoder: string;
  readonly model?: string;
  readonly modality: string;
  readonly pooling: "mean" | "first";
  readonly batchSize: number;
  readonly maxTokens?: number;
  /** false with --no-cache */
  readonly cache: string | boolean;
  readonly json?: boolean;
}

const HELP = `
An encoder is a folder as on the Hugging Face Hub (tokenizer.json beside model.onnx or onnx/model.onnx), or owner/name of
a repository there, which is fetched once (HF_TOKEN in the environment for private ones). Audio and visual features come
from other tools: openSMILE or wav2vec for audio, OpenFace or a face network for video; save one row per utterance with
numpy and name the file under modalities in dataset.yaml.

Examples:
  $ exp data text data/meld-text --encoder ~/models/all-distilroberta-v1
  $ exp data text data/meld-text --encoder sentence-transformers/all-MiniLM-L6-v2 --modality minilm`;

export function textCommand(): Command {
  return new Command("text")
    .description("Add text features to a feature folder: its sentences through an ONNX text encoder")
    .argument("<dir>", "a feature folder whose table holds sentences (columns.text in dataset.yaml)")
    .requiredOption("--encoder <place>", "folder of the encoder, or owner/name on the Hugging Face Hub")
    .option("--model <file>", "ONNX file in it, where it is not model.onnx or onnx/model.onnx")
    .option("--modality <name>", "name of the new modality", "text")
    .addOption(
      new Option("--pooling <how>", "tokens to one vector: their mean, or the first ([CLS], <s>)")
        .choices(["mean", "first"])
        .default("mean"),
    )
    .option("--batch-size <n>", "sentences at once", positive, 32)
    .option("--max-tokens <n>", "longer sentences are cut off; by default what the tokenizer states", positive)
    .option("--cache <dir>", "where vectors are kept for the next time")
    .option("--no-cache", "keep none")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", HELP)
    .action(async (folder: string, options: Options) => {
      const { encoder, model, modality, pooling, batchSize, maxTokens, cache, json } = options;
      let told = 0;
      const report = await addTextFeatures({
        folder,
        encoder,
        model,
        modality,
        pooling,
        batchSize,
        maxTokens,
        ...(typeof cache === "string" ? { cache } : cache ? {} : { cache: null }),
        onProgress(done, total) {
          // A line per tenth, so that a log stays short.
          if (done === total || done / total >= told + 0.1) {
            told = done / total;
            printNote(`${done} of ${total} sentences`);
          }
        },
      });
      if (json === true) {
        printJson(report);
      } else {
        const { file, width, sentences, encoded, cutOff, empty } = report;
        printText(
          [
            `${file}: ${sentences} x ${width}`,
            `${encoded} sentences encoded now, the others repeat or were known`,
            ...(cutOff === 0 ? [] : [`${cutOff} sentences are longer than the encoder takes and were cut off`]),
            ...(empty === 0 ? [] : [`${empty} sentences are empty: their rows are zeros`]),
          ].join("\n"),
        );
      }
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("Expected a positive whole number.");
  }
  return value;
}
