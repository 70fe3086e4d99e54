// One trial on the tiny folder, planned and run in this process.
import { join } from "node:path";
import type { Plugin } from "@merclab/core";
import {
  createConfigGroups,
  createTrialFolder,
  type PlanSite,
  parseOverride,
  planStudy,
  readExperiment,
  runTrialFolder,
  type WorkerMessage,
  type WorkerSite,
} from "../src/index.ts";
import { createRegistry, SHIPPED, temporaryFolder, write } from "./support.ts";
import { FOLDER } from "./tiny-folder.ts";

const STUDY = `title: Sealed
datasets: [folder]
base: { encoder: linear, encoder.dim: 8, encoder.dropout: 0, objective: cross-entropy, engine: cpu, trainer.epochs: 3 }
`;

/** Plans the trial; `run` trains it. */
export async function tinyTrial(
  files: Readonly<Record<string, string | Uint8Array>> = {},
  plugins: readonly Plugin[] = SHIPPED,
  ...overrides: string[]
) {
  const place = temporaryFolder();
  write(place, { "study.yaml": STUDY });
  write(join(place, "data", "mine"), { ...FOLDER, ...files });
  const registry = createRegistry(plugins);
  const dataRoot = join(place, "data");
  const planSite: PlanSite = { registry, groups: createConfigGroups([], registry), dataRoot };
  const experiment = await readExperiment(join(place, "study.yaml"), []);
  const axes = ["dataset.path=mine", ...overrides].map(parseOverride);
  const [spec] = (await planStudy(experiment, axes, planSite)).trials;
  if (spec === undefined) {
    throw new Error("no trial");
  }
  const runsFolder = join(place, "runs");
  const folder = await createTrialFolder(runsFolder, spec);
  const messages: WorkerMessage[] = [];
  const site: WorkerSite = {
    registry,
    dataRoot,
    threads: 1,
    versions: {},
    report: (message) => messages.push(message),
  };
  const run = (change: Partial<WorkerSite> = {}) => runTrialFolder(folder, { ...site, ...change });
  return { place, folder, runsFolder, spec, site, run, messages };
}
