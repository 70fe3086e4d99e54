// What a report and a comparison are made of: the current plan of a study with everything that is stored of it.
import type { Task } from "@merclab/core";
import { readEnvironment, readStudy, readTrials, type StudyFile, tableSpec } from "@merclab/runner";
import { axisLabel, rootAxes } from "../tables/axes.ts";
import { splitByTask } from "../tables/by-task.ts";
import { layOutTable } from "../tables/layout.ts";
import type { AxisValue, Planned } from "../tables/table.ts";

/** A trial of the plan and where its files are. */
export interface StudyTrial extends Planned {
  /** Absent when it never ran. */
  readonly folder?: string;
}

/** Trials that differ in nothing but their seed. */
export interface Method {
  /** What tells it from the other methods: "lmam (rank 4)". */
  readonly label: string;
  /** By seed. */
  readonly trials: readonly StudyTrial[];
}

/** What was compared on one data set. */
export interface Block {
  /** Name of the data set, with the options that tell it from others. */
  readonly dataset: string;
  readonly task: Task;
  /** In the order of the tables. */
  readonly methods: readonly Method[];
}

export interface StudyMaterial {
  readonly study: StudyFile;
  readonly trials: readonly StudyTrial[];
  readonly blocks: readonly Block[];
}

/** @throws MerclabError `config` when the experiment never ran */
export async function readStudyMaterial(runsFolder: string, experiment: string): Promise<StudyMaterial> {
  const study = await readStudy(runsFolder, experiment);
  const stored = new Map((await readTrials(runsFolder, experiment)).map((trial) => [trial.spec.id, trial]));
  const trials = await Promise.all(
    study.trials.map(async (spec): Promise<StudyTrial> => {
      const trial = stored.get(spec.id);
      if (trial === undefined) {
        return { spec };
      }
      const { folder, result, status } = trial;
      return { spec, folder, result, status, environment: await readEnvironment(folder) };
    }),
  );
  return { study, trials, blocks: blocksOf(trials) };
}

/** One block per data set, in the order of the plan. */
export function blocksOf(trials: readonly StudyTrial[]): Block[] {
  const folders = new Map(trials.map(({ spec, folder }) => [spec.id, folder]));
  return splitByTask(BY_DATASET, trials).flatMap((part) => {
    const { axes, rowKeys, columnGroups, groupAt } = layOutTable(part.spec, part.planned, orderOfAxes(part.planned));
    const roots = rootAxes(axes.rows);
    const labels = rowKeys.map((key) => roots.map((root) => axisLabel(root, axes.rows, key)));
    // What is the same everywhere tells nothing apart.
    const telling = roots.map((_, place) => new Set(labels.map((each) => each[place])).size > 1);
    const names = labels.map((each) => {
      const kept = each.filter((_, place) => telling[place]);
      return (kept.length === 0 ? each : kept).join(", ");
    });
    return columnGroups.flatMap(({ key, columns }): Block[] => {
      const methods = rowKeys.flatMap((row, place): Method[] => {
        const group = groupAt(row, key).map((trial): StudyTrial => withFolder(trial, folders.get(trial.spec.id)));
        return group.length === 0 ? [] : [{ label: names[place] ?? "", trials: group }];
      });
      const task = taskOf(methods.flatMap((method) => method.trials));
      return methods.length === 0 ? [] : [{ dataset: columns[0]?.groupLabel ?? "", task, methods }];
    });
  });
}

const BY_DATASET = tableSpec.parse({ columns: ["dataset"] });

function withFolder(trial: Planned, folder: string | undefined): StudyTrial {
  return folder === undefined ? trial : { ...trial, folder };
}

/** Trials of older versions do not say their task, but the classes of their results do. */
function taskOf(trials: readonly StudyTrial[]): Task {
  const stated = trials.find(({ spec }) => spec.task !== undefined)?.spec.task;
  const classes = trials.find(({ result }) => result !== undefined)?.result?.classes;
  return stated ?? { type: "single-label", classes: classes ?? [] };
}

/** Values of every axis as the plan has them: in the order of the experiment file. */
function orderOfAxes(trials: readonly Planned[]): Record<string, AxisValue[]> {
  const order: Record<string, AxisValue[]> = {};
  for (const [axis, value] of trials.flatMap(({ spec }) => Object.entries<AxisValue>(spec.cell))) {
    const values = order[axis] ?? [];
    order[axis] = values.includes(value) ? values : [...values, value];
  }
  return order;
}
