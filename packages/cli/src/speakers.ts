// Who spoke in the test part of a trial: predictions do not say, so the data are opened again where they can be found.
import { MerclabError } from "@merclab/core";
import type { SpeakerSource, Speakers, StudyTrial } from "@merclab/report";
import type { Site } from "./site.ts";

/**
 * @param tell says once per data set why nobody can know who spoke
 */
export function createSpeakerSource({ registry, places }: Site, tell: (note: string) => void): SpeakerSource {
  const opened = new Map<string, Promise<Speakers | undefined>>();
  const open = async ({ spec }: StudyTrial): Promise<Speakers | undefined> => {
    const { name, options } = spec.config.dataset;
    const unknown = (why: string) => {
      tell(`${name}: who spoke is not known, since ${why}`);
      return undefined;
    };
    try {
      const plugin = registry.get("dataset", name);
      const source = plugin.create(plugin.options.parse(options), { dataRoot: places.dataRoot });
      if (!source.exists()) {
        return unknown(
          `its data were not found${source.folder === undefined ? "" : ` in ${source.folder}`} (--data DIR)`,
        );
      }
      const { dataset } = await source.load();
      if (dataset.fingerprint !== spec.data.fingerprint) {
        return unknown("its data changed after the trials ran");
      }
      return new Map(
        dataset.splits.test.map(({ id, speakers }) => [
          id,
          Array.from(speakers, (speaker) => `speaker ${speaker + 1}`),
        ]),
      );
    } catch (error) {
      if (error instanceof MerclabError) {
        return unknown(error.message);
      }
      throw error;
    }
  };
  return (trial) => {
    const { fingerprint } = trial.spec.data;
    const known = opened.get(fingerprint) ?? open(trial);
    opened.set(fingerprint, known);
    return known;
  };
}
