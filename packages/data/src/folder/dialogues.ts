// Utterances to dialogues: grouped, put in speaking order, assigned to their part, speakers numbered.
import { type Labels, SPLITS, type Split, suggestName, type Task } from "@merclab/core";
import type { FolderDescription, ObservedDescription } from "./description.ts";
import { addTally, createTally, hit, type Problem } from "./problems.ts";
import type { Utterance } from "./rows.ts";
import { toLabels } from "./target.ts";

export interface DialogueRows {
  readonly id: string;
  readonly split: Split;
  /** The part that the folder tells, where another one was drawn. */
  readonly official?: Split;
  /** In speaking order. */
  readonly utterances: readonly Utterance[];
  /** `[utterances]` */
  readonly speakers: Int32Array;
}

/** Labels of a dialogue in the form of a task. */
export function dialogueLabels(task: Task, { utterances }: Pick<DialogueRows, "utterances">): Labels {
  return toLabels(
    task,
    utterances.map(({ labels }) => labels),
  );
}

/** Dialogues in the order of their first rows. */
export function groupDialogues(
  description: ObservedDescription,
  utterances: readonly Utterance[],
  describedIn: string,
  problems: Problem[],
): DialogueRows[] {
  const groups = new Map<string, Utterance[]>();
  for (const utterance of utterances) {
    const group = groups.get(utterance.dialogue);
    if (group === undefined) {
      groups.set(utterance.dialogue, [utterance]);
    } else {
      group.push(utterance);
    }
  }
  const lists = description.splits?.dialogues;
  const listed = lists && readLists(lists, groups, describedIn, problems);
  const twoParts = createTally();
  const unlisted = createTally();
  const duplicate = createTally();
  const crowd = createTally();
  const dialogues: DialogueRows[] = [];
  for (const [id, group] of groups) {
    const first = group[0]?.where ?? "";
    const found = listed === undefined ? partsOf(group) : [listed.get(id)].filter((split) => split !== undefined);
    const [split, other] = found;
    if (split === undefined) {
      if (listed !== undefined) {
        hit(unlisted, first, `dialogue "${id}" is in no list under splits.dialogues`);
      }
      continue; // an unknown part is told already
    }
    if (other !== undefined) {
      const stray = group.find((utterance) => utterance.split === other)?.where ?? first;
      hit(twoParts, stray, `dialogue "${id}" is in two parts, ${split} and ${other}`);
    }
    const ordered = [...group].sort((a, b) => a.order - b.order);
    ordered.forEach(({ order, where }, place) => {
      if (ordered[place - 1]?.order === order) {
        hit(duplicate, where, `dialogue "${id}" has two utterances at order ${order}`);
      }
    });
    const speakers = numberSpeakers(description.speakers, ordered);
    const perDialogue = description.speakers?.perDialogue;
    const distinct = Math.max(...speakers) + 1;
    if (perDialogue !== undefined && distinct > perDialogue) {
      hit(crowd, first, `dialogue "${id}" has ${distinct} speakers, speakers.perDialogue allows ${perDialogue}`);
    }
    dialogues.push({ id, split, utterances: ordered, speakers });
  }
  addTally(
    problems,
    twoParts,
    "dialogue",
    "A dialogue belongs to one part: else its test part would be seen in training.",
  );
  addTally(problems, unlisted, "dialogue");
  addTally(problems, duplicate, "row");
  addTally(problems, crowd, "dialogue");
  if (description.columns.utterance !== undefined) {
    checkUtteranceIds(utterances, problems);
  }
  return dialogues;
}

function partsOf(group: readonly Utterance[]): Split[] {
  return SPLITS.filter((split) => group.some((utterance) => utterance.split === split));
}

type Lists = NonNullable<NonNullable<FolderDescription["splits"]>["dialogues"]>;

/** The part of each listed dialogue. */
function readLists(
  lists: Lists,
  groups: ReadonlyMap<string, unknown>,
  describedIn: string,
  problems: Problem[],
): Map<string, Split> {
  const parts = new Map<string, Split>();
  const twice = createTally();
  const empty = createTally();
  for (const split of SPLITS) {
    for (const id of lists[split] ?? []) {
      const where = `${describedIn} (splits.dialogues.${split})`;
      const known = parts.get(id);
      if (known !== undefined) {
        hit(twice, where, `dialogue "${id}" is listed under ${known} and ${split}`);
      }
      if (!groups.has(id)) {
        const near = groups.size <= 20 ? ` ${suggestName(id, groups.keys())}` : "";
        hit(empty, where, `empty dialogue: "${id}" is listed but has no rows.${near}`);
      }
      parts.set(id, split);
    }
  }
  addTally(problems, twice, "dialogue");
  addTally(problems, empty, "dialogue");
  return parts;
}

function numberSpeakers(rule: FolderDescription["speakers"], ordered: readonly Utterance[]): Int32Array {
  if (rule === undefined) {
    return new Int32Array(ordered.length);
  }
  // Unknown speakers are told already; number 0 only keeps the array whole.
  const numbers = new Map((rule.values ?? []).map((name, number) => [name, number]));
  return Int32Array.from(ordered, ({ speaker }) => {
    if (rule.perDialogue !== undefined && !numbers.has(speaker)) {
      numbers.set(speaker, numbers.size);
    }
    return numbers.get(speaker) ?? 0;
  });
}

function checkUtteranceIds(utterances: readonly Utterance[], problems: Problem[]): void {
  const seen = new Set<string>();
  const repeated = createTally();
  for (const { id, where, dialogue } of utterances) {
    if (seen.has(id) && dialogue.trim() !== "") {
      hit(repeated, where, `utterance id "${id}" is there twice`);
    }
    seen.add(id);
  }
  addTally(problems, repeated, "row");
}
