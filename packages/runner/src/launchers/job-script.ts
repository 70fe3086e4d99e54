// What a job runs. `exec` makes the batch process the supervisor, so that it gets the scheduler's signals: a shell in
// between would keep them.
import type { JobTemplate } from "./launcher.ts";
import { shellWord } from "./shell.ts";

export interface ScriptOptions {
  /** Lines before the command, such as `module load`. */
  readonly setup: readonly string[];
  /** Node on the machines that train; the one that submits when undefined. */
  readonly node: string | undefined;
  /** Further arguments of `exp trial run`. */
  readonly arguments: readonly string[];
}

/** The lines after the shebang and whatever the scheduler reads. */
export function jobLines(template: JobTemplate, { setup, node, arguments: further }: ScriptOptions): string[] {
  const { command } = template;
  return [
    "set -e",
    ...setup,
    `cd ${shellWord(command.cwd)}`,
    `exec ${[node ?? command.node, command.exp, ...trialArguments(template), ...further].map(shellWord).join(" ")}`,
  ];
}

/** Arguments of `exp` that take trials from an array. */
export function trialArguments({ array, path, command }: JobTemplate): string[] {
  return [
    "trial",
    "run",
    "--from-array",
    `${path}.json`,
    "--checkpoint-every",
    String(command.checkpointEvery),
    "--keep-weights",
    command.keepWeights,
    ...(command.data === undefined ? [] : ["--data", command.data]),
    ...(array.threads === undefined ? [] : ["--threads", String(array.threads)]),
  ];
}
