// Stored trials as they are named on the command line: by the beginning of an id, or an experiment and what its trials
// chose.
import { MerclabError, suggestName } from "@merclab/core";
import { parseOverride, readExperimentNames, readTrials, type StoredTrial, type TrialSpec } from "@merclab/runner";

/** @throws MerclabError `config` when no trial or several begin with this */
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

/**
 * The trial of an id, or those of an experiment that are done, by cell and seed.
 *
 * @param filters `key=value` or `key=a,b`: `fusion=sdt`, `dataset=iemocap`, `seed=0`, or any axis of the experiment
 * @throws MerclabError `config` when nothing fits
 */
export async function findTrials(
  runsFolder: string,
  name: string,
  filters: readonly string[],
): Promise<readonly StoredTrial[]> {
  if (!(await readExperimentNames(runsFolder)).includes(name)) {
    if (filters.length > 0) {
      throw new MerclabError("config", `"${name}" is no experiment with stored runs, so ${filters[0]} has no meaning`, {
        where: runsFolder,
        hint: 'See "exp ls runs".',
      });
    }
    return [await findTrial(runsFolder, name)];
  }
  const done = (await readTrials(runsFolder, name)).filter(({ result }) => result !== undefined);
  const chosen = filters.reduce((trials, filter) => trials.filter(matcher(filter, done)), done);
  if (chosen.length === 0) {
    const what = filters.length === 0 ? "no run that is done" : `no run that is done with ${filters.join(" ")}`;
    throw new MerclabError("config", `experiment "${name}" has ${what}`, {
      where: runsFolder,
      hint: `See "exp ls runs", or train it: exp run ${name}`,
    });
  }
  const cell = ({ spec }: StoredTrial): string => JSON.stringify(spec.cell);
  return [...chosen].sort((a, b) => cell(a).localeCompare(cell(b)) || a.spec.seed - b.spec.seed);
}

function matcher(filter: string, trials: readonly StoredTrial[]): (trial: StoredTrial) => boolean {
  const { key, values } = parseOverride(filter);
  const known = new Set(trials.flatMap(({ spec }) => Object.keys(choicesOf(spec))));
  if (!known.has(key)) {
    throw new MerclabError("config", `the stored runs have no choice "${key}"`, {
      where: `command line: ${filter}`,
      hint: suggestName(key, known),
    });
  }
  const wanted = new Set(values.map(String));
  return ({ spec }) => wanted.has(String(choicesOf(spec)[key]));
}

/** Parts by name, and what tells the trial from its neighbours. */
function choicesOf({ config, cell, seed }: TrialSpec): Readonly<Record<string, unknown>> {
  const parts = Object.entries(config).map(([group, { name }]) => [group, name]);
  return { ...Object.fromEntries(parts), ...cell, seed };
}
