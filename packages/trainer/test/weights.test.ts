// Weights on disk: a round trip keeps every logit; files that do not fit are refused by name.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSafetensors, type HostTensor, initialParameters, keyFromSeed, parseSafetensors } from "@merclab/core";
import { packBatch } from "@merclab/data";
import { dispose, memory, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadWeights, type Model, saveWeights } from "../src/index.ts";
import { ENGINES, LMAM, modelOf, refusal, SDT, startEngine, tinyDataset } from "./support.ts";

const dataset = tinyDataset();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "merclab-weights-"));
});

afterAll(() => rm(folder, { recursive: true }));

const logitsOf = (model: Model, parameters: Record<string, Tensor>): number[] =>
  tidy(() => {
    const { inputs } = packBatch(dataset.splits.valid, dataset.modalities);
    return [...model.logits(parameters, inputs, {}).dataSync()];
  });

const IDENTITY = { ...SDT, encoder: ["sdt", { dim: 8, numHeads: 2, unimodalGate: "identity" }] } as const;

describe.each(ENGINES)("weights on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it.each([
    ["SDT", SDT],
    ["SDT with frozen gates", IDENTITY],
    ["LMAM", LMAM],
  ])("of %s survive a file: the same logits, bit for bit", async (_name, choice) => {
    const model = modelOf(choice, dataset);
    const before = memory().numTensors;
    const parameters = initialParameters(model.parameters, keyFromSeed(9));
    const expected = logitsOf(model, parameters);
    const file = join(folder, `${backend}.safetensors`);
    await saveWeights(model, parameters, file);
    dispose(parameters);
    const loaded = await loadWeights(model, file);
    expect(Object.keys(loaded)).toEqual(model.parameters.map(({ name }) => name));
    expect(logitsOf(model, loaded)).toEqual(expected);
    expect(expected.every(Number.isFinite)).toBe(true);
    dispose(loaded);
    expect(memory().numTensors).toBe(before);
  });
});

describe("files of weights", () => {
  beforeAll(() => startEngine("cpu"));

  /** The tensors of a model, changed. */
  async function fileWith(model: Model, change: (tensors: Map<string, HostTensor>) => void): Promise<string> {
    const tensors = new Map(
      model.parameters.map(({ name, shape, initial }): [string, HostTensor] => [
        name,
        { shape, data: initial(keyFromSeed(1), shape) },
      ]),
    );
    change(tensors);
    const file = join(folder, "changed.safetensors");
    await writeFile(file, encodeSafetensors(tensors));
    return file;
  }

  const model = modelOf(SDT, dataset);

  it("may carry SDT's position tables, which are no parameters", async () => {
    const file = await fileWith(model, (tensors) =>
      tensors.set("t_t.pos_emb.pe", { shape: [1, 512, 8], data: new Float32Array(512 * 8) }),
    );
    const loaded = await loadWeights(model, file);
    expect(Object.keys(loaded)).toHaveLength(model.parameters.length);
    dispose(loaded);
  });

  it("are written in the order of the model, frozen tensors included, and replaced as a whole", async () => {
    const file = join(folder, "order.safetensors");
    await writeFile(file, "something older");
    const parameters = initialParameters(model.parameters, keyFromSeed(1));
    await saveWeights(model, parameters, file);
    const tensors = parseSafetensors(await readFile(file));
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual(
      model.parameters.map(({ name, shape }) => [name, shape]),
    );
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    dispose(parameters);
  });

  it("that are not there, or no safetensors files, are refused with their place", async () => {
    const absent = join(folder, "absent.safetensors");
    const first = await refusal(() => loadWeights(model, absent));
    expect([first.code, first.message, first.where]).toEqual(["data", "the weights cannot be read (ENOENT)", absent]);
    const text = join(folder, "text.safetensors");
    await writeFile(text, "no tensors at all");
    const second = await refusal(() => loadWeights(model, text));
    expect([second.code, second.where]).toEqual(["data", text]);
    expect(second.message).toContain("not a readable safetensors file");
  });

  it("that do not fit the model are refused with every name, and the place", async () => {
    const before = memory().numTensors;
    const file = await fileWith(model, (tensors) => {
      tensors.delete("all_output_layer.bias");
      tensors.set("first_gate.fc.weight", { shape: [1], data: new Float32Array(1) });
      tensors.set("textf_input.weight", { shape: [8, 4, 1], data: new Float32Array(32) });
    });
    const error = await refusal(() => loadWeights(model, file));
    expect([error.code, error.where]).toEqual(["data", file]);
    expect(error.message).toContain('unexpected tensor "first_gate.fc.weight"');
    expect(error.message).toContain('tensor "textf_input.weight" has shape [8, 4, 1], expected [8, 5, 1]');
    expect(error.message).toContain('missing tensor "all_output_layer.bias" [3]');
    expect(error.hint).toContain("options of encoder, fusion and objective");
    expect(memory().numTensors).toBe(before);
  });

  it("with numbers that are not finite are refused", async () => {
    const file = await fileWith(model, (tensors) =>
      tensors.set("all_output_layer.bias", { shape: [3], data: Float32Array.of(0, Number.NaN, 1) }),
    );
    const error = await refusal(() => loadWeights(model, file));
    expect([error.message, error.where]).toEqual(['tensor "all_output_layer.bias" has NaN at 1', file]);
  });

  it("with learned gates are refused by a model that freezes them as the identity", async () => {
    const frozen = modelOf(IDENTITY, dataset);
    const learned = await fileWith(model, () => {});
    const error = await refusal(() => loadWeights(frozen, learned));
    expect(error.message).toBe('tensor "t_t_gate.fc.weight" is not the identity, as which the model freezes it');
    expect(error.hint).toContain("unimodalGate=learned");
    dispose(await loadWeights(frozen, await fileWith(frozen, () => {})));
  });

  it("that cannot be written are an error of storage, and leave nothing half done", async () => {
    const parameters = initialParameters(model.parameters, keyFromSeed(1));
    const occupied = join(folder, "occupied");
    await mkdir(join(occupied, "by-a-folder"), { recursive: true });
    for (const file of [join(folder, "no-such-folder", "x.safetensors"), occupied]) {
      const error = await refusal(() => saveWeights(model, parameters, file));
      expect([error.code, error.where]).toEqual(["storage", file]);
      expect(error.message).toMatch(/^the weights cannot be written \(E\w+\)$/);
    }
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    dispose(parameters);
  });
});
