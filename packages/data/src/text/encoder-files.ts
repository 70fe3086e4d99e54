// Where an encoder's files are: a local folder first, else a repository of the Hugging Face Hub, whose files are kept in
// the Hub's own cache.
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { downloadFileToCacheDir } from "@huggingface/hub";
import { MerclabError } from "@merclab/core";

export interface EncoderFiles {
  readonly model: string;
  readonly tokenizer: string;
  /** Lengths and special tokens; not every encoder has one. */
  readonly tokenizerConfig: string | undefined;
}

const MODELS = ["model.onnx", "onnx/model.onnx"];
const TOKENIZER = "tokenizer.json";
const TOKENIZER_CONFIG = "tokenizer_config.json";

/**
 * @param place a folder with tokenizer.json and model.onnx or onnx/model.onnx; or `owner/name` of the Hub
 * @param model file of another name, relative to the place
 * @throws MerclabError `data` when a file is missing or the Hub cannot be reached
 */
export async function findEncoder(place: string, model: string | undefined): Promise<EncoderFiles> {
  const folder = resolve(place);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) {
    const find = (names: readonly string[]): string | undefined =>
      names.map((name) => join(folder, name)).find((path) => existsSync(path));
    const found = { model: find(model === undefined ? MODELS : [model]), tokenizer: find([TOKENIZER]) };
    if (found.model === undefined || found.tokenizer === undefined) {
      throw new MerclabError(
        "data",
        `the encoder has no ${found.model === undefined ? (model ?? "model.onnx") : TOKENIZER}`,
        {
          where: folder,
          hint: "An encoder is a folder as on the Hugging Face Hub: tokenizer.json beside model.onnx or onnx/model.onnx.",
        },
      );
    }
    return { model: found.model, tokenizer: found.tokenizer, tokenizerConfig: find([TOKENIZER_CONFIG]) };
  }
  if (!/^[\w.-]+\/[\w.-]+$/.test(place) || existsSync(folder)) {
    throw new MerclabError("data", "missing folder", {
      where: folder,
      hint: "Give a folder with tokenizer.json and model.onnx, or a repository of the Hugging Face Hub as owner/name.",
    });
  }
  return fromHub(place, model ?? "onnx/model.onnx");
}

async function fromHub(repo: string, model: string): Promise<EncoderFiles> {
  const accessToken = process.env.HF_TOKEN;
  const fetchFile = (path: string): Promise<string> =>
    downloadFileToCacheDir({ repo, path, ...(accessToken === undefined ? {} : { accessToken }) });
  try {
    const tokenizer = await fetchFile(TOKENIZER);
    const tokenizerConfig = await fetchFile(TOKENIZER_CONFIG).catch(() => undefined);
    // Models beyond 2 GB keep their weights in a second file, which must lie beside the first.
    await fetchFile(`${model}_data`).catch(() => undefined);
    return { tokenizer, tokenizerConfig, model: await fetchFile(model) };
  } catch (cause) {
    throw new MerclabError(
      "data",
      `cannot get ${repo} from the Hugging Face Hub: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        where: "--encoder",
        hint: "Check the name and the network, or download the files and give their folder. --model names another ONNX file.",
        cause,
      },
    );
  }
}
