// A place to plan in: temporary folders, experiments written by a test, and the shipped plugins without a container.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  corePlugins,
  definePlugin,
  type EngineProbe,
  type EngineTraits,
  MerclabError,
  type Plugin,
  type PluginKind,
  type PluginRegistry,
  suggestName,
} from "@merclab/core";
import { plugins as dataPlugins } from "@merclab/data";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as lmamPlugins } from "@merclab/fusion-lmam";
import { plugins as sdtPlugins } from "@merclab/fusion-sdt";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { createConfigGroups, type PlanSite, parseOverride, planStudy, readExperiment } from "../src/index.ts";

export const SHIPPED: readonly Plugin[] = [
  ...corePlugins,
  ...dataPlugins,
  ...encoderPlugins,
  ...sdtPlugins,
  ...lmamPlugins,
];

export function createRegistry(plugins: readonly Plugin[] = SHIPPED): PluginRegistry {
  const names = (kind: PluginKind) => plugins.filter((plugin) => plugin.kind === kind).map(({ name }) => name);
  return {
    names,
    get: <K extends PluginKind>(kind: K, name: string) => {
      const plugin = plugins.find((each) => each.kind === kind && each.name === name);
      if (plugin === undefined) {
        throw new MerclabError("config", `unknown ${kind} "${name}"`, { hint: suggestName(name, names(kind)) });
      }
      return plugin as Plugin<K>;
    },
  };
}

/** An engine of a user, for plans, which start none. */
export function engine({
  name,
  rank = 1,
  state = "works",
  threads = "one",
  memory = { baseBytes: 1e9, bytesPerParameter: 100 },
  probed = [],
  ...traits
}: Partial<EngineTraits> & { name: string; state?: EngineProbe["state"]; probed?: string[] }): Plugin {
  return definePlugin({
    kind: "engine",
    name,
    summary: "",
    rank,
    threads,
    memory,
    ...traits,
    options: z.strictObject({ level: z.int().default(1) }),
    probe: async () => {
      probed.push(name);
      const found = state === "works" ? `${name} 1.0` : `no ${name} here`;
      return { state, found, versions: {}, ...(state === "works" ? {} : { hint: `Install ${name}.` }) };
    },
    create: () => {
      throw new Error("a plan starts no engine");
    },
  });
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "merclab-runner-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a folder, by path. */
export function write(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** A small model on few made-up dialogues, quick to plan. */
export const SMALL = `
base:
  encoder.dim: 8
  encoder.numHeads: 2
  dataset.synthetic.dialogues: { train: 3, valid: 2, test: 2 }
  dataset.synthetic.lengths: [2, 4]
`;

export interface Bench {
  readonly folder: string;
  readonly site: PlanSite;
  /** Plans an experiment file with command-line arguments. */
  plan(yaml: string, ...overrides: string[]): ReturnType<typeof planStudy>;
}

/** @param files config groups below `configs/` and anything else */
export function createBench(
  files: Readonly<Record<string, string>> = {},
  dataRoot?: string,
  { plugins = SHIPPED, runsFolder }: { plugins?: readonly Plugin[]; runsFolder?: string } = {},
): Bench {
  const folder = temporaryFolder();
  write(folder, files);
  const registry = createRegistry(plugins);
  const groups = createConfigGroups([join(folder, "configs")], registry);
  const site: PlanSite = { registry, groups, dataRoot, ...(runsFolder === undefined ? {} : { runsFolder }) };
  return {
    folder,
    site,
    plan: async (yaml, ...overrides) => {
      write(folder, { "study.yaml": `title: A study\n${yaml}` });
      const experiment = await readExperiment(join(folder, "study.yaml"), []);
      return planStudy(experiment, overrides.map(parseOverride), site);
    },
  };
}

/** The error of a promise or a call as one line, with folders left out: "code | where | message | hint". */
export async function errorOf(work: () => unknown, folder = "\0"): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof MerclabError) {
      const text = [error.code, error.where, error.message, error.hint].map((each) => each ?? "-").join(" | ");
      return text.replaceAll(folder, "DIR");
    }
    throw error;
  }
  throw new Error("expected an error, got none");
}
