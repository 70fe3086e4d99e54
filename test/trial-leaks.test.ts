// A trial leaves nothing in its process: not a tensor, and no memory that grows from one trial to the next.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { definePlugin, type Plugin, type PluginKind, type PluginRegistry } from "@merclab/core";
import {
  createConfigGroups,
  createTrialFolder,
  parseOverride,
  planStudy,
  readExperiment,
  runTrialFolder,
} from "@merclab/runner";
import { memory, ones } from "@tensorflow/tfjs-core";
import { expect, onTestFinished, test } from "vitest";
import { createRegistry } from "../packages/cli/src/container.ts";

const ROOT = resolve(import.meta.dirname, "..");

/** Runs trials of both fusions with two seeds one after another, and tells what each left. */
async function runTrials(registry: PluginRegistry, ...overrides: string[]) {
  const runs = mkdtempSync(join(tmpdir(), "merclab-leaks-"));
  onTestFinished(() => rmSync(runs, { recursive: true, force: true }));
  const site = { registry, groups: createConfigGroups([`${ROOT}/configs`], registry), dataRoot: undefined };
  const experiment = await readExperiment("sdt-vs-lmam", [`${ROOT}/experiments`]);
  const size = ["dataset.dialogues={ train: 6, valid: 2, test: 2 }", "dataset.lengths=[2, 6]", "encoder.dim=16"];
  const axes = ["datasets=synthetic", "seeds=2", "trainer.epochs=2", ...size, ...overrides].map(parseOverride);
  const { trials } = await planStudy(experiment, axes, site);
  expect(trials).toHaveLength(4);
  const left: { leftTensors: number; holdsTooMuch: boolean; numTensors: number; numBytes: number }[] = [];
  for (const spec of trials) {
    const folder = await createTrialFolder(runs, spec);
    const { leftTensors, holdsTooMuch } = await runTrialFolder(folder, {
      registry,
      dataRoot: undefined,
      threads: 1,
      versions: {},
      report: () => undefined,
    });
    const { numTensors, numBytes } = memory();
    left.push({ leftTensors, holdsTooMuch, numTensors, numBytes });
  }
  return left;
}

test.each(["cpu", "wasm", "onnx"])("on engine %s no trial leaves a tensor behind", async (engine) => {
  const left = await runTrials(createRegistry(), `engine=${engine}`);
  expect(left.map(({ holdsTooMuch: _, ...each }) => each)).toEqual(
    Array.from({ length: 4 }, () => ({ leftTensors: 0, numTensors: 0, numBytes: 0 })),
  );
});

function exchange(shipped: PluginRegistry, plugin: Plugin): PluginRegistry {
  const get = (kind: PluginKind, name: string) =>
    kind === plugin.kind && name === plugin.name ? plugin : shipped.get(kind, name);
  return { ...shipped, get: get as PluginRegistry["get"] };
}

test.each([
  ["more", 1e6, true],
  ["less", 1e12, false],
])("a process that holds %s memory than a trial is planned with says so", async (_, baseBytes, expected) => {
  const shipped = createRegistry();
  const engine = { ...shipped.get("engine", "cpu"), memory: { baseBytes, bytesPerParameter: 0 } };
  const left = await runTrials(exchange(shipped, engine), "engine=cpu");
  expect(left.map(({ holdsTooMuch }) => holdsTooMuch)).toEqual([expected, expected, expected, expected]);
});

test("tensors that a plugin keeps are counted, so that its worker is not used again", async () => {
  const shipped = createRegistry();
  const adam = shipped.get("optimizer", "adam");
  const hoarder: Plugin<"optimizer"> = definePlugin({
    ...adam,
    create: (options, site) => {
      ones([3]);
      return adam.create(options, site);
    },
  });
  const left = await runTrials(exchange(shipped, hoarder), "engine=cpu");
  expect(left.map(({ leftTensors }) => leftTensors)).toEqual([1, 1, 1, 1]);
});
