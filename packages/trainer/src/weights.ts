// Weights of a model in a safetensors file, under the names of the official state dicts.
import { readFile } from "node:fs/promises";
import {
  type HostTensor,
  identity,
  keyFromSeed,
  MerclabError,
  type Parameters,
  parameter,
  parametersFromArrays,
  parseSafetensors,
  safetensorsMetadata,
} from "@merclab/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Model } from "./model.ts";
import { writeSafetensors } from "./safetensors-file.ts";

/**
 * Parameters from a file, e.g. official weights; their position tables are ignored. The engine must have been started;
 * the tensors are the caller's.
 *
 * @throws MerclabError `data` when the file cannot be read, is no safetensors file, or does not fit the model
 */
export async function loadWeights(model: Pick<Model, "parameters">, file: string): Promise<Record<string, Tensor>> {
  const arrays = await readWeights(file);
  checkValues(model, arrays, file);
  try {
    return parametersFromArrays(model.parameters, arrays, isOfficialBuffer);
  } catch (cause) {
    throw cause instanceof MerclabError
      ? new MerclabError(cause.code, cause.message, {
          where: file,
          hint: "Names and shapes follow from the options of encoder, fusion and objective, and from the data set.",
          cause,
        })
      : cause;
  }
}

/**
 * Texts that a file of weights carries besides its tensors; none is none.
 *
 * @throws MerclabError `data` when the file cannot be read, or is no safetensors file
 */
export async function readWeightsMetadata(file: string): Promise<Readonly<Record<string, unknown>>> {
  return safetensorsMetadata(await readBytes(file), file);
}

/**
 * Tensors of a file on the host, by name.
 *
 * @throws MerclabError `data` when the file cannot be read, or is no safetensors file
 */
export async function readWeights(file: string): Promise<Map<string, HostTensor>> {
  return parseSafetensors(await readBytes(file), file);
}

/**
 * Writes all parameters, frozen ones included, in the order of the model. An existing file is replaced as a whole.
 *
 * @throws MerclabError `storage` when the file cannot be written
 */
export async function saveWeights(
  model: Pick<Model, "parameters">,
  parameters: Parameters,
  file: string,
): Promise<void> {
  const arrays = new Map<string, HostTensor>();
  for (const { name } of model.parameters) {
    const value = parameter(parameters, name);
    arrays.set(name, { shape: value.shape, data: await value.data<"float32">() });
  }
  await writeWeights(arrays, file);
}

/**
 * Writes parameters that lie on the host. An existing file is replaced as a whole.
 *
 * @param metadata texts by name: what the weights belong to
 * @throws MerclabError `storage` when the file cannot be written
 */
export async function writeWeights(
  tensors: ReadonlyMap<string, HostTensor>,
  file: string,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    await writeSafetensors(file, tensors, metadata);
  } catch (cause) {
    throw new MerclabError("storage", `the weights cannot be written (${reason(cause)})`, {
      where: file,
      hint: "Check space and permissions.",
      cause,
    });
  }
}

/** Names in official weights that are no parameters: SDT's nine copies of the fixed position table. */
export function isOfficialBuffer(name: string): boolean {
  return name.endsWith(".pos_emb.pe");
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new MerclabError("data", `the weights cannot be read (${reason(cause)})`, { where: file, cause });
  }
}

/** Refuses numbers that would give wrong predictions in silence. */
function checkValues(
  { parameters }: Pick<Model, "parameters">,
  arrays: ReadonlyMap<string, HostTensor>,
  file: string,
): void {
  for (const { name, shape, frozen, initial } of parameters) {
    const values = arrays.get(name)?.data ?? new Float32Array();
    const broken = values.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      throw new MerclabError("data", `tensor "${name}" has ${values[broken]} at ${broken}`, { where: file });
    }
    // A matrix that is frozen as the identity is never multiplied (SDT's unimodal gates on MELD).
    if (frozen === true && initial === identity && values.length > 0) {
      const expected = identity(keyFromSeed(0), shape);
      if (values.some((value, i) => value !== expected[i])) {
        throw new MerclabError("data", `tensor "${name}" is not the identity, as which the model freezes it`, {
          where: file,
          hint: "These weights were trained with learned gates: choose encoder.unimodalGate=learned.",
        });
      }
    }
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
}
