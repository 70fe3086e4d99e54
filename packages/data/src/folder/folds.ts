// Parts of one's own instead of the official ones: k-fold by dialogue, leave speakers or sessions out. Never by
// utterance: neighbours in a dialogue say too much about each other.
import { drawPermutation, foldKey, keyFromSeed, MerclabError, SPLITS, type Split } from "@merclab/core";
import type { FolderDescription } from "./description.ts";
import type { DialogueRows } from "./dialogues.ts";
import { columnOf } from "./leaks.ts";
import type { PartTable } from "./rows.ts";

export const SPLIT_KINDS = ["dialogue", "speaker", "session"] as const;

export interface SplitRule {
  /** What is never torn apart: dialogues, everything that shares a speaker, sessions. */
  readonly by: (typeof SPLIT_KINDS)[number];
  /** null = one fold per session or per group of speakers. */
  readonly folds: number | null;
  /** Which fold is the test part, from 0. */
  readonly fold: number;
  readonly seed: number;
}

export interface Fold {
  /** Session, first speaker or first dialogue of the groups in it. */
  readonly groups: readonly string[];
  readonly dialogues: readonly DialogueRows[];
}

/**
 * The folds of a corpus: every dialogue in exactly one. With one fold per group they come in the order of the groups'
 * names; else groups are dealt out in a seeded order, the largest first, each to the fold with the fewest utterances.
 *
 * @throws MerclabError `data` when the folder does not tell sessions or speakers, or has fewer groups than folds
 */
export function foldsOf(
  description: FolderDescription,
  describedIn: string,
  dialogues: readonly DialogueRows[],
  tables: readonly PartTable[],
  { by, folds, seed }: Omit<SplitRule, "fold">,
): readonly Fold[] {
  const refuse = (message: string, hint: string): MerclabError =>
    new MerclabError("data", message, { where: describedIn, hint });
  const groups = groupsOf(description, describedIn, dialogues, tables, by);
  const count = folds ?? (by === "dialogue" ? null : groups.size);
  if (count === null) {
    throw new MerclabError("config", "a split by dialogue needs a number of folds", {
      where: "option split",
      hint: "E.g. split.folds=5.",
    });
  }
  if (groups.size < 2 || count > groups.size || count < 2) {
    const hint =
      by === "speaker"
        ? "Speakers who meet connect their dialogues; by: session or dialogue may be what fits."
        : "Ask for fewer folds.";
    throw refuse(`${groups.size} groups by ${by} cannot be ${count} folds`, hint);
  }
  const names = [...groups.keys()].sort();
  if (count === names.length) {
    return names.map((name) => ({ groups: [name], dialogues: groups.get(name) ?? [] }));
  }
  const order = drawPermutation(foldKey(keyFromSeed(seed), "folds"), names.length);
  const size = (list: readonly DialogueRows[]): number =>
    list.reduce((sum, { utterances }) => sum + utterances.length, 0);
  const dealt = [...order]
    .map((at) => names[at] ?? "")
    .map((name) => ({ name, members: groups.get(name) ?? [] }))
    .sort((a, b) => size(b.members) - size(a.members));
  const out = Array.from({ length: count }, () => ({
    groups: [] as string[],
    dialogues: [] as DialogueRows[],
    size: 0,
  }));
  for (const { name, members } of dealt) {
    const smallest = out.reduce((least, fold) => (fold.size < least.size ? fold : least));
    smallest.groups.push(name);
    smallest.dialogues.push(...members);
    smallest.size += size(members);
  }
  return out.map(({ groups: own, dialogues: all }) => ({ groups: own.sort(), dialogues: all }));
}

/** Dialogues with one fold as test part, everything else as train. The official parts are remembered. */
export function withFold(dialogues: readonly DialogueRows[], folds: readonly Fold[], fold: number): DialogueRows[] {
  const chosen = folds[fold];
  if (chosen === undefined) {
    throw new MerclabError("config", `there is no fold ${fold}: there are ${folds.length}, numbered from 0`, {
      where: "option split.fold",
    });
  }
  const test = new Set(chosen.dialogues.map(({ id }) => id));
  return dialogues.map((dialogue) => {
    const split: Split = test.has(dialogue.id) ? "test" : "train";
    return { ...dialogue, split, official: dialogue.split };
  });
}

function groupsOf(
  description: FolderDescription,
  describedIn: string,
  dialogues: readonly DialogueRows[],
  tables: readonly PartTable[],
  by: SplitRule["by"],
): Map<string, DialogueRows[]> {
  switch (by) {
    case "dialogue":
      return groupBy(dialogues, ({ id }) => id);
    case "session":
      return groupBy(dialogues, sessionOf(description, describedIn, tables));
    case "speaker":
      if (description.speakers === undefined) {
        throw new MerclabError("data", "the folder does not tell who speaks", {
          where: describedIn,
          hint: 'Name a column under "speakers" in dataset.yaml, or split by dialogue.',
        });
      }
      return groupBy(dialogues, speakerGroups(dialogues));
  }
}

function sessionOf({ sessions }: FolderDescription, describedIn: string, tables: readonly PartTable[]) {
  const hint = 'E.g. sessions: { pattern: "^Ses(..)" } in dataset.yaml, or { column: session }.';
  if (sessions === undefined) {
    throw new MerclabError("data", "the folder does not tell its sessions", { where: describedIn, hint });
  }
  const cells = sessions.column === undefined ? undefined : columnOf(tables, sessions.column);
  const pattern = sessions.pattern === undefined ? undefined : new RegExp(sessions.pattern);
  return ({ id, utterances }: DialogueRows): string => {
    const rows = utterances.map(({ row }) => cells?.[row] ?? "");
    const session = pattern === undefined ? rows[0] : pattern.exec(id)?.[1];
    if (session === undefined || session === "" || (pattern === undefined && rows.some((cell) => cell !== session))) {
      throw new MerclabError("data", `dialogue "${id}" has no session, or several`, { where: describedIn, hint });
    }
    return session;
  };
}

/** Dialogues that share a speaker, directly or over others, are one group, named by its first speaker. */
function speakerGroups(dialogues: readonly DialogueRows[]): (dialogue: DialogueRows) => string {
  const parents = new Map<string, string>();
  const root = (name: string): string => {
    let at = name;
    for (let up = parents.get(at); up !== undefined; up = parents.get(at)) {
      at = up;
    }
    return at;
  };
  for (const { utterances } of dialogues) {
    const [first, ...others] = new Set(utterances.map(({ speaker }) => speaker));
    for (const other of others) {
      const [a, b] = [root(first ?? ""), root(other)].sort() as [string, string];
      if (a !== b) {
        parents.set(b, a);
      }
    }
  }
  return ({ utterances }) => root(utterances[0]?.speaker ?? "");
}

function groupBy(
  dialogues: readonly DialogueRows[],
  nameOf: (dialogue: DialogueRows) => string,
): Map<string, DialogueRows[]> {
  const groups = new Map<string, DialogueRows[]>();
  for (const dialogue of dialogues) {
    const name = nameOf(dialogue);
    const group = groups.get(name);
    if (group === undefined) {
      groups.set(name, [dialogue]);
    } else {
      group.push(dialogue);
    }
  }
  return groups;
}

/** Official parts by name, for a table of folds. */
export function partCounts(fold: Fold): Readonly<Record<Split, number>> {
  return Object.fromEntries(
    SPLITS.map((split) => [split, fold.dialogues.filter((dialogue) => dialogue.split === split).length]),
  ) as Record<Split, number>;
}
