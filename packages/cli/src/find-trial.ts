// A stored trial by its id, or the beginning of one, whichever experiment it belongs to.
import { MerclabError } from "@merclab/core";
import { readExperimentNames, readTrials, type StoredTrial } from "@merclab/runner";

/** @throws MerclabError `config` when none or several match */
export async function findTrial(runsFolder: string, id: string): Promise<StoredTrial> {
  const names = await readExperimentNames(runsFolder);
  const trials = (await Promise.all(names.map((name) => readTrials(runsFolder, name)))).flat();
  const matches = trials.filter(({ spec }) => spec.id.startsWith(id));
  const [match] = matches;
  if (match === undefined || new Set(matches.map(({ spec }) => spec.id)).size > 1) {
    const problem = match === undefined ? "no run" : `${matches.length} runs`;
    throw new MerclabError("config", `${problem} with an id that begins with "${id}"`, {
      where: runsFolder,
      hint: 'See "exp ls runs".',
    });
  }
  return match;
}
