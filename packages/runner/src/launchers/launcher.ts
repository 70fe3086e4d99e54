// What takes trials somewhere else: it renders what is to be submitted, submits it, and says what became of it. Where a
// trial stands is in its folder; a launcher only knows what still waits or runs.
import type { MerclabError } from "@merclab/core/errors";
import type { z } from "zod";
import type { ArrayFile } from "./array-file.ts";

/** How a job starts trials: the command that submits, but for what the launcher adds. */
export interface TrialCommand {
  /** Where it was typed: plugins and data are found from there. */
  readonly cwd: string;
  /** Absolute paths. */
  readonly node: string;
  readonly exp: string;
  readonly data: string | undefined;
  readonly checkpointEvery: number;
  /** Of the epoch that validation chose, with each trial. */
  readonly keepWeights: "best" | "none";
}

/** What a job that runs a part of an array needs to know. */
export interface JobTemplate {
  readonly array: Pick<ArrayFile, "name" | "trials" | "threads">;
  /** Of the study. */
  readonly folder: string;
  /** Absolute path of `arrays/<n>`, without extension. */
  readonly path: string;
  readonly command: TrialCommand;
}

export interface TaskState {
  /** `ended` says nothing about success: the trial's folder does; `unknown`: whoever could tell does not answer. */
  readonly state: "waiting" | "running" | "ended" | "unknown";
  /** In the scheduler's words: "PENDING (Resources)", "OUT_OF_MEMORY". */
  readonly detail: string;
  readonly job: string;
}

/** What became of a submission. */
export interface SubmittedJobs {
  /** As the scheduler calls them. */
  readonly jobs: readonly string[];
  /** Why some are not there; the others train all trials. */
  readonly failures: readonly MerclabError[];
}

export interface Poll {
  /** By array name and index. A task that is missing may have ended long ago, or not be known yet. */
  readonly tasks: ReadonlyMap<string, ReadonlyMap<number, TaskState>>;
  /** Parts of the scheduler that did not answer, one host of several, say. */
  readonly silent: readonly MerclabError[];
}

export interface Launcher {
  /** Ending of the file that `render` is written to. */
  readonly extension: "sh" | "yaml";
  /** Trials that one array can have. */
  maxArraySize(): Promise<number>;
  /** The script or manifest of an array. */
  render(template: JobTemplate): string;
  /** Absent where a user applies what was rendered. @throws MerclabError where nothing was submitted */
  submit?(array: ArrayFile, file: string): Promise<SubmittedJobs>;
  /**
   * The jobs of arrays whose submission was not recorded, by the arrays' names; absent where the scheduler cannot be asked.
   *
   * @throws MerclabError when it does not answer
   */
  find?(arrays: readonly ArrayFile[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** What the scheduler knows, asked once for all. @throws MerclabError when it does not answer */
  poll?(arrays: readonly ArrayFile[]): Promise<Poll>;
  /** So many tasks of an array that is submitted run at a time from now on; those that run go on. */
  setThrottle?(array: ArrayFile, tasks: number): Promise<void>;
  /** Ends tasks, or whole arrays where no indices are given. */
  cancel?(tasks: readonly { readonly array: ArrayFile; readonly indices: readonly number[] | "all" }[]): Promise<void>;
}

/** A kind of launcher, chosen by name as a plugin is. */
export interface LauncherKind<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly options: S;
  create(options: z.output<S>): Launcher;
}

export function defineLauncher<S extends z.ZodType>(kind: LauncherKind<S>): LauncherKind {
  return { ...kind, create: (options) => kind.create(kind.options.parse(options)) };
}
