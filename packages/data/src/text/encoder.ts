// Sentences to vectors with an ONNX text encoder: tokens by the tokenizer of the Hugging Face Hub's format, one run of
// ONNX Runtime per batch, tokens averaged (or the first taken) to one vector per sentence.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import { MerclabError } from "@merclab/core";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { EncoderFiles } from "./encoder-files.ts";

/** How token vectors become one: their mean, or the first token (`[CLS]`, `<s>`), as RoBERTa features of the field. */
export type Pooling = "mean" | "first";

export interface EncoderOptions {
  readonly pooling: Pooling;
  /** Longer sentences are cut off. */
  readonly maxTokens: number | undefined;
}

export interface TextEncoder {
  /** Changes with the model, its tokenizer and the options. */
  readonly fingerprint: string;
  /** @returns `[sentences, width]` row-major */
  encode(sentences: readonly string[]): Promise<{ readonly width: number; readonly data: Float32Array }>;
  /** Tokens of a sentence, before it is cut off. */
  countTokens(sentence: string): number;
  readonly maxTokens: number;
  dispose(): Promise<void>;
}

/** Where tokenizer_config.json tells no length, or one that stands for none. */
const DEFAULT_MAX_TOKENS = 512;

/** @throws MerclabError `data` when the files are no encoder */
export async function openEncoder(files: EncoderFiles, { pooling, maxTokens }: EncoderOptions): Promise<TextEncoder> {
  const [tokenizer, config] = readTokenizer(files);
  const stated = config.model_max_length;
  const most = maxTokens ?? (typeof stated === "number" && stated < 1e6 ? stated : DEFAULT_MAX_TOKENS);
  let runtime: typeof import("onnxruntime-node");
  let session: InferenceSession;
  try {
    runtime = await import("onnxruntime-node"); // here, so that nothing else needs its library
    session = await runtime.InferenceSession.create(files.model);
  } catch (cause) {
    throw new MerclabError("data", `ONNX Runtime cannot load the encoder: ${(cause as Error).message}`, {
      where: files.model,
      cause,
    });
  }
  const padding = tokenizer.token_to_id(typeof config.pad_token === "string" ? config.pad_token : "[PAD]") ?? 0;
  const last = tokenizer.encode("").ids.length > 0 ? 1 : 0;
  const idsOf = (sentence: string): number[] => {
    const { ids } = tokenizer.encode(sentence);
    // The closing token stays where a sentence is cut off.
    return ids.length <= most ? ids : [...ids.slice(0, most - last), ...ids.slice(ids.length - last)];
  };
  return {
    fingerprint: await fingerprint(files, { pooling, maxTokens: most }),
    maxTokens: most,
    countTokens: (sentence) => tokenizer.encode(sentence).ids.length,
    dispose: () => session.release(),
    async encode(sentences) {
      const batch = sentences.map(idsOf);
      // An encoder without special tokens has nothing to say of an empty sentence but its padding.
      const length = batch.reduce((longest, ids) => Math.max(longest, ids.length), 1);
      const ids = new BigInt64Array(batch.length * length).fill(BigInt(padding));
      const mask = new BigInt64Array(batch.length * length);
      batch.forEach((tokens, row) => {
        tokens.forEach((token, at) => {
          ids[row * length + at] = BigInt(token);
          mask[row * length + at] = 1n;
        });
      });
      const shape = [batch.length, length];
      const inputs: Record<string, Tensor> = {};
      for (const name of session.inputNames) {
        const data = { input_ids: ids, attention_mask: mask, token_type_ids: new BigInt64Array(ids.length) }[name];
        if (data === undefined) {
          throw new MerclabError("data", `the encoder asks for an input "${name}", which is none of a text encoder`, {
            where: files.model,
            hint: "Expected input_ids, attention_mask and perhaps token_type_ids.",
          });
        }
        inputs[name] = new runtime.Tensor("int64", data, shape);
      }
      const outputs = await session.run(inputs);
      return pooled(outputs, batch, length, pooling, files.model);
    },
  };
}

function readTokenizer(files: EncoderFiles): [Tokenizer, Record<string, unknown>] {
  const read = (path: string): Record<string, unknown> => {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    } catch (cause) {
      throw new MerclabError("data", "the file is no JSON", { where: path, cause });
    }
  };
  const config = files.tokenizerConfig === undefined ? {} : read(files.tokenizerConfig);
  const json = read(files.tokenizer);
  try {
    return [new Tokenizer(json, config), config];
  } catch (cause) {
    throw new MerclabError("data", `the tokenizer cannot be used: ${(cause as Error).message}`, {
      where: files.tokenizer,
      cause,
    });
  }
}

function pooled(
  outputs: InferenceSession.OnnxValueMapType,
  batch: readonly (readonly number[])[],
  length: number,
  pooling: Pooling,
  where: string,
): { width: number; data: Float32Array } {
  const names = Object.keys(outputs);
  const name = ["last_hidden_state", "token_embeddings"].find((known) => names.includes(known)) ?? names[0] ?? "";
  const output = outputs[name];
  const [rows, tokens, width] = output?.dims ?? [];
  if (!(output?.data instanceof Float32Array) || rows !== batch.length || tokens !== length || width === undefined) {
    throw new MerclabError(
      "data",
      `the encoder's output "${name}" is [${output?.dims.join(", ")}] of ${output?.type}`,
      {
        where,
        hint: "Expected one vector per token, [sentences, tokens, width] in float32.",
      },
    );
  }
  const { data } = output;
  const out = new Float32Array(rows * width);
  batch.forEach((ids, row) => {
    const used = pooling === "first" ? Math.min(1, ids.length) : ids.length;
    for (let column = 0; used > 0 && column < width; column++) {
      let sum = 0;
      for (let at = 0; at < used; at++) {
        sum += data[(row * length + at) * width + column] as number;
      }
      out[row * width + column] = sum / used;
    }
  });
  return { width, data: out };
}

async function fingerprint(files: EncoderFiles, options: object): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(options));
  for (const path of [files.model, files.tokenizer, files.tokenizerConfig]) {
    if (path !== undefined) {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
        hash.update(chunk as Buffer);
      }
    }
  }
  return hash.digest("hex");
}
