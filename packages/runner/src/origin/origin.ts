// Where numbers come from: the code and the machine. Stored with a study and with each trial; never read by training.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, hostname, platform, release, totalmem, userInfo } from "node:os";
import { join } from "node:path";
import { type GitState, gitState } from "./git-state.ts";

export interface Origin {
  /** The checkout that the command ran in, a user's own plugins and experiments. */
  readonly git?: GitState;
  readonly merclab: { readonly version: string; readonly git?: GitState };
  readonly machine: Machine;
}

export interface Machine {
  readonly host: string;
  readonly user: string;
  /** E.g. `linux 6.1.0 x64`. */
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

const PACKAGE = join(import.meta.dirname, "../..");

let known: Promise<Origin> | undefined;

/** Of this process: asked once, since code that is loaded does not change either. */
export function readOrigin(): Promise<Origin> {
  known ??= gather(process.cwd());
  return known;
}

async function gather(folder: string): Promise<Origin> {
  const [git, own] = await Promise.all([gitState(folder), gitState(PACKAGE)]);
  const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as { version: string };
  return {
    ...(git === undefined ? {} : { git }),
    merclab: { version, ...(own === undefined ? {} : { git: own }) },
    machine: {
      host: hostname(),
      user: userName(),
      system: `${platform()} ${release()} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      memory: totalmem(),
    },
  };
}

/** A container's user may have a number only. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}

/** As tags of a run, MLflow's own names where it has some. */
export function originTags({ git, merclab, machine }: Origin): Record<string, string> {
  const checkout = (prefix: string, { commit, branch, dirty }: GitState) => ({
    [`${prefix}.commit`]: commit,
    ...(branch === undefined ? {} : { [`${prefix}.branch`]: branch }),
    [`${prefix}.dirty`]: String(dirty),
  });
  return {
    "mlflow.user": machine.user,
    ...(git === undefined ? {} : checkout("mlflow.source.git", git)),
    "merclab.version": merclab.version,
    ...(merclab.git === undefined ? {} : checkout("merclab.git", merclab.git)),
    "merclab.machine.host": machine.host,
    "merclab.machine.system": machine.system,
    "merclab.machine.cpu": machine.cpu,
    "merclab.machine.cores": String(machine.cores),
    "merclab.machine.memory": `${(machine.memory / 2 ** 30).toFixed(1)} GiB`,
  };
}
