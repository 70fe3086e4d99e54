// Where things lie: data root, runs, experiments and config groups. The user's own folders come before those that
// are shipped.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MerclabError } from "@merclab/core";

/** The checkout or package that this file belongs to. */
const HOME = resolve(import.meta.dirname, "../../..");

/** Config groups that come with merclab. */
export const SHIPPED_CONFIGS = join(HOME, "configs");

export interface Places {
  readonly runs: string;
  readonly experiments: readonly string[];
  readonly configs: readonly string[];
  /** undefined when nothing was given and nothing was found. */
  readonly dataRoot: string | undefined;
}

export interface PlaceOptions {
  readonly data?: string;
  readonly runs?: string;
}

/** @throws MerclabError `data` when a data root was given that does not exist */
export function findPlaces(options: PlaceOptions, environment = process.env, cwd = process.cwd()): Places {
  return {
    runs: resolve(cwd, options.runs ?? "runs"),
    experiments: unique([join(cwd, "experiments"), join(HOME, "experiments")]),
    configs: unique([join(cwd, "configs"), SHIPPED_CONFIGS]),
    dataRoot: findDataRoot(options.data, environment, cwd),
  };
}

function findDataRoot(given: string | undefined, environment: NodeJS.ProcessEnv, cwd: string): string | undefined {
  const named = given ?? environment.MERCLAB_DATA;
  if (named !== undefined && named !== "") {
    const root = resolve(cwd, named);
    if (!existsSync(root)) {
      throw new MerclabError("data", `the data root ${root} does not exist`, {
        where: given === undefined ? "environment variable MERCLAB_DATA" : "--data",
        hint: "Give the folder that holds one folder per data set (iemocap, cmu-mosi, …).",
      });
    }
    return root;
  }
  return [join(cwd, "data"), join(cwd, "../shared/data")].find((folder) => existsSync(folder));
}

function unique(folders: readonly string[]): string[] {
  return [...new Set(folders)].filter((folder) => existsSync(folder));
}
