// A trial that stops anywhere and goes on ends with the bits of one that was left alone.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import { dispose, memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkpoint, checkpointFile, type EpochReport, trainTrial } from "../src/index.ts";
import { ENGINES, LMAM, refusal, SDT, startEngine, trialOf } from "./support.ts";

const EPOCHS = 5;
const ignore = () => {};
const root = mkdtempSync(join(tmpdir(), "merclab-checkpoint-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let files = 0;
const newFile = () => join(root, `${files++}.safetensors`);

const withoutSeconds = (epochs: readonly EpochReport[]) => epochs.map(({ seconds: _, ...rest }) => rest);

describe.each(ENGINES)("checkpoints on %s", (backend) => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine(backend);
  });
  const options = { epochs: EPOCHS };

  it.each([
    ["SDT with Adam", { ...SDT, options }],
    ["LMAM with a schedule", { ...LMAM, options, optimizer: { schedule: { kind: "cosine" } } }],
  ])("%s, paused after every epoch, ends with the same bits", async (_, choice) => {
    const undisturbed = await trainTrial(trialOf(engine, choice), ignore, { keepWeights: true });
    expect(undisturbed.weights?.epoch).toBe(undisturbed.selectedEpoch);
    const [file, damaged] = [newFile(), [] as string[]];
    const reported: number[] = [];
    const before = memory().numTensors;
    for (let epoch = 1; epoch <= EPOCHS; epoch++) {
      const checkpoints = checkpointFile(file, "this trial", (reason) => damaged.push(reason));
      const onEpoch = (report: EpochReport) => reported.push(report.epoch);
      const course = { checkpoints, isPausing: () => true, keepWeights: true };
      const outcome = await trainTrial(trialOf(engine, choice), onEpoch, course);
      if (epoch < EPOCHS) {
        expect(outcome).toBeUndefined();
      } else {
        expect(outcome?.testProbabilities).toEqual(undisturbed.testProbabilities);
        expect(withoutSeconds(outcome?.epochs ?? [])).toEqual(withoutSeconds(undisturbed.epochs));
        expect(outcome?.selectedEpoch).toBe(undisturbed.selectedEpoch);
        expect(outcome?.weights).toEqual(undisturbed.weights);
        expect(outcome?.seconds).toBeGreaterThan(outcome?.epochs.reduce((sum, { seconds }) => sum + seconds, 0) ?? 0);
      }
    }
    expect(reported).toEqual([1, 2, 3, 4, 5]);
    expect(damaged).toEqual([]);
    expect(memory().numTensors).toBe(before);
  });

  it("are written as often as was asked for, and never after the last epoch", async () => {
    const saved: number[] = [];
    const checkpoints = {
      load: async () => undefined,
      save: async ({ epochs }: Checkpoint) => {
        saved.push(epochs.length);
      },
    };
    await trainTrial(trialOf(engine, { options }), ignore, { checkpoints });
    expect(saved).toEqual([1, 2, 3, 4]);
    await trainTrial(trialOf(engine, { options }), ignore, { checkpoints, checkpointSeconds: 3600 });
    expect(saved).toHaveLength(4);
  });
});

describe("a checkpoint file", () => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  beforeAll(async () => {
    engine = await startEngine("cpu");
  });
  const pausedFile = async (): Promise<string> => {
    const file = newFile();
    const checkpoints = checkpointFile(file, "this trial", ignore);
    await trainTrial(trialOf(engine, { options: { epochs: 3 } }), ignore, { checkpoints, isPausing: () => true });
    return file;
  };
  const reasonFor = async (file: string, owner = "this trial"): Promise<string[]> => {
    const reasons: string[] = [];
    expect(await checkpointFile(file, owner, (reason) => reasons.push(reason)).load()).toBeUndefined();
    return reasons;
  };

  it("that is damaged, cut off, foreign or of another owner is not used, and the reason told", async () => {
    const file = await pausedFile();
    const bytes = readFileSync(file);
    const before = memory().numTensors;
    expect(await reasonFor(file, "another")).toEqual([expect.stringContaining("by other versions, or for another")]);
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 9] = (flipped.at(-9) ?? 0) ^ 1;
    writeFileSync(file, flipped);
    expect(await reasonFor(file)).toEqual([expect.stringContaining("its checksum is wrong")]);
    for (const length of [bytes.length - 1, 100, 4, 0]) {
      writeFileSync(file, bytes);
      truncateSync(file, length);
      expect(await reasonFor(file)).toEqual([expect.stringContaining("not a readable safetensors file")]);
    }
    expect(await reasonFor(newFile())).toEqual([]);
    expect(await reasonFor(root)).toEqual([expect.stringContaining("cannot be read")]);
    expect(memory().numTensors).toBe(before);
  });

  it("without the weights of the best epoch is of no use where these are kept, and one with them always is", async () => {
    const [without, reasons] = [await pausedFile(), [] as string[]];
    const checkpoints = checkpointFile(without, "this trial", (reason) => reasons.push(reason));
    expect(await checkpoints.load(true)).toBeUndefined();
    expect(reasons).toEqual([expect.stringContaining("without the weights of the best epoch")]);
    const course = { checkpoints, isPausing: () => true, keepWeights: true };
    await trainTrial(trialOf(engine, { options: { epochs: 3 } }), ignore, course);
    for (const withWeights of [true, false]) {
      const loaded = await checkpoints.load(withWeights);
      expect(loaded?.selected?.epoch).toBe(1);
      dispose([...Object.values(loaded?.state.parameters ?? {}), ...Object.values(loaded?.state.optimizer ?? {})]);
    }
  });

  it("holds NaN and infinities of reports, and is replaced as a whole", async () => {
    const file = await pausedFile();
    const stored = await checkpointFile(file, "this trial", ignore).load();
    const odd = {
      epoch: 1,
      train: { total: Number.POSITIVE_INFINITY },
      stepLosses: [0.1, Number.POSITIVE_INFINITY],
      valid: { nll: Number.NaN, ece: 0.1 },
      seconds: 1,
    };
    const checkpoints = checkpointFile(file, "x", ignore);
    await checkpoints.save({ ...(stored as Checkpoint), epochs: [odd] });
    expect((await checkpoints.load())?.epochs).toEqual([odd]);
    expect(readdirSync(root).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("that cannot be written is an error with the place", async () => {
    const stored = await checkpointFile(await pausedFile(), "this trial", ignore).load();
    const file = join(root, "nowhere", "checkpoint.safetensors");
    const error = await refusal(() => checkpointFile(file, "x", ignore).save(stored as Checkpoint));
    expect(error).toBeInstanceOf(MerclabError);
    expect(error).toMatchObject({ code: "storage", where: file });
  });
});
