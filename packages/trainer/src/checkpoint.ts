// Checkpoints: everything that the epochs to come depend on, and what came out of those before, in one safetensors
// file. Random numbers are keyed by epoch and step, so a trial that goes on from one ends with the same bits.
import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { type HostTensor, littleEndian, MerclabError, parseSafetensors, safetensorsMetadata } from "@merclab/core";
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { writeSafetensors } from "./safetensors-file.ts";
import type { SelectedWeights } from "./selected-weights.ts";
import type { TrainState } from "./step.ts";
import type { EpochReport } from "./trial.ts";

export interface Checkpoint {
  readonly state: TrainState;
  /** Epochs that have ended. */
  readonly epochs: readonly EpochReport[];
  /** Of each of them, as in `TrialOutcome`. */
  readonly testProbabilities: readonly Float32Array[];
  /** The best epoch so far; absent where weights are not kept. */
  readonly selected?: SelectedWeights;
  /** Spent in training so far. */
  readonly seconds: number;
}

/** Where a trial keeps checkpoints. */
export interface Checkpoints {
  /**
   * The last one, its tensors made anew on the engine that runs; undefined where there is none.
   *
   * @param withWeights whether one without the weights of the best epoch is of no use
   */
  load(withWeights?: boolean): Promise<Checkpoint | undefined>;
  /** Keeps this one in the place of the last. */
  save(checkpoint: Checkpoint): Promise<void>;
}

const FORMAT = "merclab-checkpoint-2";
const PARTS = { parameters: "parameters/", optimizer: "optimizer/" } as const;
const PREDICTIONS = "test-predictions";
const SELECTED = "selected/";

interface Metadata {
  readonly format: typeof FORMAT;
  /** What the checkpoint belongs to; another owner's is left alone. */
  readonly owner: string;
  /** Of the data, in the order of the header. */
  readonly crc32: string;
  readonly epochs: string;
  /** Epoch whose weights are kept; where it is the last one, they are the parameters. */
  readonly selected?: string;
  readonly seconds: string;
}

/**
 * Checkpoints in a file.
 *
 * @param owner whatever must be equal for a trial to go on: what it is and which versions compute it
 * @param onDamage told why a file is not used; the trial then starts over
 */
export function checkpointFile(file: string, owner: string, onDamage: (reason: string) => void): Checkpoints {
  return {
    async load(withWeights = false) {
      let bytes: Uint8Array;
      try {
        bytes = await readFile(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
          onDamage(`the checkpoint cannot be read (${(error as Error).message})`);
        }
        return undefined;
      }
      try {
        return decode(bytes, owner, file, withWeights);
      } catch (error) {
        onDamage(`the checkpoint is not used: ${(error as Error).message}`);
        return undefined;
      }
    },
    async save(checkpoint) {
      const arrays = await arraysOf(checkpoint);
      try {
        await writeSafetensors(file, arrays, metadataOf(arrays, checkpoint, owner));
      } catch (cause) {
        throw new MerclabError("storage", `the checkpoint cannot be written (${(cause as Error).message})`, {
          where: file,
          hint: "Check space and permissions, or give another folder with --runs DIR.",
          cause,
        });
      }
    },
  };
}

async function arraysOf({ state, epochs, testProbabilities, selected }: Checkpoint): Promise<Map<string, HostTensor>> {
  const arrays = new Map<string, HostTensor>();
  for (const [part, prefix] of Object.entries(PARTS)) {
    for (const [name, value] of Object.entries(state[part as keyof TrainState])) {
      if (value.dtype !== "float32") {
        throw new RangeError(`${prefix}${name} is ${value.dtype}; checkpoints hold float32`);
      }
      arrays.set(`${prefix}${name}`, { shape: value.shape, data: await value.data<"float32">() });
    }
  }
  testProbabilities.forEach((data, epoch) => {
    arrays.set(`${PREDICTIONS}/${epoch + 1}`, { shape: [data.length], data });
  });
  if (selected !== undefined && selected.epoch !== epochs.length) {
    for (const [name, tensor] of selected.tensors) {
      arrays.set(`${SELECTED}${name}`, tensor);
    }
  }
  return arrays;
}

function metadataOf(
  arrays: ReadonlyMap<string, HostTensor>,
  { epochs, selected, seconds }: Checkpoint,
  owner: string,
): Metadata & Readonly<Record<string, string>> {
  return {
    format: FORMAT,
    owner,
    crc32: String([...arrays.values()].reduce((sum, { data }) => crc32(littleEndian(data), sum), 0)),
    epochs: JSON.stringify(epochs, (_key, value) => (isNotFinite(value) ? String(value) : value)),
    ...(selected === undefined ? {} : { selected: String(selected.epoch) }),
    seconds: String(seconds),
  };
}

/** JSON has no word for it; reports hold numbers only, so texts in them are these. */
function isNotFinite(value: unknown): boolean {
  return typeof value === "number" && !Number.isFinite(value);
}

function decode(bytes: Uint8Array, owner: string, file: string, withWeights: boolean): Checkpoint {
  const metadata = safetensorsMetadata(bytes, file) as Partial<Metadata>;
  if (metadata.format !== FORMAT) {
    throw new Error(`it is no ${FORMAT}`);
  }
  if (metadata.owner !== owner) {
    throw new Error("it was written by other versions, or for another trial");
  }
  if (withWeights && metadata.selected === undefined) {
    throw new Error("it was written without the weights of the best epoch, which are to be kept");
  }
  const arrays = parseSafetensors(bytes, file);
  const sum = [...arrays.values()].reduce((crc, { data }) => crc32(littleEndian(data), crc), 0);
  if (String(sum) !== metadata.crc32) {
    throw new Error("its checksum is wrong");
  }
  const epochs = JSON.parse(metadata.epochs ?? "[]", (_key, value) =>
    typeof value === "string" ? Number(value) : value,
  ) as EpochReport[];
  const tensorsOf = (prefix: string): Record<string, Tensor> =>
    Object.fromEntries(
      [...arrays]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { data, shape }]) => [name.slice(prefix.length), tensor(data, [...shape], "float32")]),
    );
  const selected = selectedOf(metadata, arrays, epochs.length);
  return {
    epochs,
    ...(selected === undefined ? {} : { selected }),
    testProbabilities: epochs.map(({ epoch }) => {
      const predictions = arrays.get(`${PREDICTIONS}/${epoch}`)?.data;
      if (predictions === undefined) {
        throw new Error(`it lacks the predictions of epoch ${epoch}`);
      }
      return predictions;
    }),
    seconds: Number(metadata.seconds),
    state: { parameters: tensorsOf(PARTS.parameters), optimizer: tensorsOf(PARTS.optimizer) },
  };
}

function selectedOf(
  { selected }: Partial<Metadata>,
  arrays: ReadonlyMap<string, HostTensor>,
  lastEpoch: number,
): SelectedWeights | undefined {
  if (selected === undefined) {
    return undefined;
  }
  const epoch = Number(selected);
  const prefix = epoch === lastEpoch ? PARTS.parameters : SELECTED;
  const own = [...arrays].filter(([name]) => name.startsWith(prefix));
  // Copies where they are the parameters, whose tensors may lie in the same memory.
  return {
    epoch,
    tensors: new Map(own.map(([name, { shape, data }]) => [name.slice(prefix.length), { shape, data: data.slice() }])),
  };
}
