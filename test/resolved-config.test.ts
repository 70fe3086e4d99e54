// What experiments/sdt-vs-lmam.yaml resolves to without data: a default that changes by accident changes this file.
// To accept a change: vitest run test/resolved-config.test.ts --update
import { resolve } from "node:path";
import { createConfigGroups, planStudy, readExperiment } from "@merclab/runner";
import { expect, test } from "vitest";
import { createRegistry } from "../packages/cli/src/container.ts";

const ROOT = resolve(import.meta.dirname, "..");

test("the resolved trials of sdt-vs-lmam on synthetic data are those of the golden file", async () => {
  const registry = createRegistry();
  const site = { registry, groups: createConfigGroups([`${ROOT}/configs`], registry), dataRoot: undefined };
  const experiment = await readExperiment("sdt-vs-lmam", [`${ROOT}/experiments`]);
  const { trials, notices } = await planStudy(experiment, [], site);
  const shown = {
    notices,
    trials: trials.map(({ id, cell, seed, data, parameters }) => ({ id, cell, seed, data, parameters })),
    // Configs differ by cell only.
    configs: trials.filter(({ seed }) => seed === 0).map(({ cell, config }) => ({ cell, config })),
  };
  await expect(`${JSON.stringify(shown, null, 2)}\n`).toMatchFileSnapshot("fixtures/sdt-vs-lmam.golden.json");
  const configOf = new Map(shown.configs.map(({ cell, config }) => [cell.fusion, config]));
  expect(trials.every(({ cell, config }) => JSON.stringify(config) === JSON.stringify(configOf.get(cell.fusion)))).toBe(
    true,
  );
});
