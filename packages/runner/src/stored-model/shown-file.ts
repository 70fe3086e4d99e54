// `shown.json` and `shown.npz` of a trial: gates and attention along a few dialogues of the test part, for pictures. They
// are computed from the stored weights when somebody asks for them first; training pays nothing for them.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Dialogue, MerclabError } from "@merclab/core";
import { decodeNpz, encodeNpz } from "@merclab/data";
import type { ShownArray } from "@merclab/trainer";
import writeFileAtomic from "write-file-atomic";
import { readJson, TRIAL_FILES, writeJson } from "../store/experiment-store.ts";
import type { ResolvedPart } from "../store/trial-files.ts";
import type { PartsSite } from "../study/trial-parts.ts";
import { openStoredModel } from "./open-stored-model.ts";

export interface ShownDialogue {
  readonly id: string;
  /** By the fusion's names: `gate.text`, `attention.text.audio`. */
  readonly arrays: Readonly<Record<string, ShownArray>>;
}

export interface ShownTrial {
  /** Id of the trial. */
  readonly id: string;
  /** None where the fusion shows nothing. */
  readonly dialogues: readonly ShownDialogue[];
}

interface ShownFile {
  readonly schema: 1;
  readonly id: string;
  /** Names of the arrays of each dialogue, which the npz has behind the dialogue's number: `0/gate.text`. */
  readonly dialogues: readonly { readonly id: string; readonly names: readonly string[] }[];
}

/** How many dialogues are shown, and of how many utterances at most: longer ones make no picture. */
export const SHOWN_DIALOGUES = { count: 3, utterances: 60 } as const;

/** Eager: nothing is compiled for shapes that come once. */
const ENGINE: ResolvedPart = { name: "wasm", options: {} };

/** @returns undefined where nothing was computed yet. @throws MerclabError `storage` or `data` for damaged files */
export async function readShown(folder: string): Promise<ShownTrial | undefined> {
  const file = await readJson<ShownFile>(join(folder, TRIAL_FILES.shown));
  const arraysFile = join(folder, TRIAL_FILES.shownArrays);
  if (file === undefined || !existsSync(arraysFile)) {
    return undefined;
  }
  const arrays = decodeNpz(await readFile(arraysFile), arraysFile);
  return {
    id: file.id,
    dialogues: file.dialogues.map(({ id, names }, at) => ({
      id,
      arrays: Object.fromEntries(
        names.flatMap((name): [string, ShownArray][] => {
          const entry = arrays[`${at}/${name}`];
          return entry?.data instanceof Float32Array ? [[name, { shape: entry.shape, data: entry.data }]] : [];
        }),
      ),
    })),
  };
}

/**
 * What is stored, or else computes and stores it.
 *
 * @throws MerclabError `storage` when the trial has no weights, `data` or `config` when its data or code are not to be had
 */
export async function showTrial(folder: string, site: Omit<PartsSite, "threads">): Promise<ShownTrial> {
  const known = await readShown(folder);
  if (known !== undefined) {
    return known;
  }
  const model = await openStoredModel(folder, { ...site, threads: 1, engine: ENGINE });
  try {
    const dialogues: ShownDialogue[] = [];
    for (const dialogue of chooseDialogues(model.loaded.dataset.splits.test)) {
      const arrays = await model.show(dialogue);
      if (Object.keys(arrays).length > 0) {
        dialogues.push({ id: dialogue.id, arrays });
      }
    }
    const shown: ShownTrial = { id: model.trial.spec.id, dialogues };
    await store(folder, shown);
    // As later calls will read it, rounded, so that pictures stay the same.
    return (await readShown(folder)) ?? shown;
  } finally {
    await model.dispose();
  }
}

/** The longest that fit into a picture; labels, which are sealed, have no say. */
export function chooseDialogues(dialogues: readonly Dialogue[]): Dialogue[] {
  return dialogues
    .filter(({ speakers }) => speakers.length > 1 && speakers.length <= SHOWN_DIALOGUES.utterances)
    .map((dialogue, at) => ({ dialogue, at }))
    .sort((a, b) => b.dialogue.speakers.length - a.dialogue.speakers.length || a.at - b.at)
    .slice(0, SHOWN_DIALOGUES.count)
    .map(({ dialogue }) => dialogue);
}

/** The json comes last: where it is, the arrays are. @throws MerclabError `storage` */
async function store(folder: string, { id, dialogues }: ShownTrial): Promise<void> {
  const arrays = Object.fromEntries(
    dialogues.flatMap((dialogue, at) =>
      Object.entries(dialogue.arrays).map(
        ([name, { shape, data }]) => [`${at}/${name}`, { shape, data, dtype: "f2" }] as const,
      ),
    ),
  );
  const file = join(folder, TRIAL_FILES.shownArrays);
  try {
    await writeFileAtomic(file, Buffer.from(encodeNpz(arrays)));
  } catch (cause) {
    throw new MerclabError("storage", `cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
  const json: ShownFile = {
    schema: 1,
    id,
    dialogues: dialogues.map((dialogue) => ({ id: dialogue.id, names: Object.keys(dialogue.arrays) })),
  };
  await writeJson(join(folder, TRIAL_FILES.shown), json);
}
