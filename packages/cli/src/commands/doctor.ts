// `exp doctor`: what works on this machine, and the one command that mends what does not.
import { accessSync, constants, existsSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { dirname } from "node:path";
import { MerclabError } from "@merclab/core";
import {
  AUTO_ENGINE,
  checkSlurm,
  chooseAutoEngine,
  createEngineProber,
  type EngineState,
  enginesByRank,
} from "@merclab/runner";
import { Command } from "commander";
import { MlflowClient } from "mlflow-js-client";
import pc from "picocolors";
import { columns, EXIT, printJson, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { type Site, siteWith, versions } from "../site.ts";
import { loadUserPlugins, SETTINGS_FILE } from "../user-plugins/load.ts";

interface Finding {
  readonly what: string;
  readonly state: "works" | "absent" | "broken";
  readonly found: string;
  /** What mends it, where something can be done. */
  readonly mend?: string;
}

const OLDEST_NODE = [20, 19] as const;

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("Check Node, engines, data, tracking, storage, and Slurm where it is installed")
    .option("--data <dir>", "data root")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp doctor\n  $ exp doctor --data ~/features --json")
    .action(async (options: { data?: string; runs: string; json?: boolean }) => {
      const { site, plugins } = await openWithFinding(options);
      const engines = await probeEngines(site);
      const findings = [
        checkNode(),
        checkMachine(),
        ...engines.states.map(engineFinding),
        engines.auto,
        ...plugins,
        ...checkData(site),
        await checkTracking(),
        ...(await checkSlurm()),
        checkRuns(site),
      ];
      if (options.json === true) {
        printJson({ versions: versions(), engines: engines.states, findings });
      } else {
        const marks = { works: pc.green("✓"), absent: pc.yellow("–"), broken: pc.red("✗") };
        const rows = findings.map(({ what, state, found, mend }) => [
          marks[state],
          what,
          mend === undefined ? found : `${found}  → ${mend}`,
        ]);
        printText(columns(rows));
      }
      process.exitCode = findings.some(({ state }) => state === "broken") ? EXIT.failed : EXIT.done;
    });
}

/** The site, without a user's plugins where they are broken: everything else is looked at all the same. */
async function openWithFinding(options: { data?: string; runs: string }): Promise<{ site: Site; plugins: Finding[] }> {
  const places = findPlaces(options);
  const what = `plugins of ${SETTINGS_FILE}`;
  try {
    const own = await loadUserPlugins(process.cwd());
    const names = own.flatMap(({ plugins }) => plugins.map(({ kind, name }) => `${kind} ${name}`));
    const found = names.join(", ");
    return { site: siteWith(places, own), plugins: names.length === 0 ? [] : [{ what, state: "works", found }] };
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    const { message, where, hint } = error;
    const finding = { what, state: "broken" as const, found: where === undefined ? message : `${message} (${where})` };
    return { site: siteWith(places, []), plugins: [{ ...finding, ...(hint === undefined ? {} : { mend: hint }) }] };
  }
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const recent = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const found = process.versions.node;
  return recent
    ? { what: "node", state: "works", found }
    : { what: "node", state: "broken", found, mend: `install Node ${OLDEST_NODE.join(".")} or newer` };
}

function checkMachine(): Finding {
  const found = `${availableParallelism()} cores, ${(freemem() / 2 ** 30).toFixed(1)} GiB free`;
  return { what: "machine", state: "works", found };
}

/** Every engine, the fastest first, and which one `auto` takes. */
async function probeEngines({ registry }: Site): Promise<{ states: readonly EngineState[]; auto: Finding }> {
  const probe = createEngineProber(registry);
  const states = await Promise.all(enginesByRank(registry).map(probe));
  const what = `engine ${AUTO_ENGINE}`;
  try {
    const { name, why } = await chooseAutoEngine(registry, probe, async () => ({ stored: 0, of: 0 }));
    return { states, auto: { what, state: "works", found: `takes ${name} (${why.replace(/^auto: /, "")})` } };
  } catch (error) {
    if (!(error instanceof MerclabError)) {
      throw error;
    }
    return { states, auto: { what, state: "broken", found: error.message } };
  }
}

function engineFinding({ name, state, found, threads, hint }: EngineState): Finding {
  const cores = availableParallelism();
  const used = threads === "one" || cores === 1 ? "one thread a trial" : `up to ${cores} threads a trial`;
  return {
    what: `engine ${name}`,
    state,
    found: state === "works" ? `${found}, ${used}` : found,
    ...(hint === undefined ? {} : { mend: hint }),
  };
}

function checkData({ registry, places }: Site): Finding[] {
  if (places.dataRoot === undefined) {
    const mend = "give --data DIR or set MERCLAB_DATA; until then the synthetic corpus is used";
    return [{ what: "data root", state: "absent", found: "none", mend }];
  }
  const sets = registry.names("dataset").flatMap((name): Finding[] => {
    const plugin = registry.get("dataset", name);
    const options = plugin.options.safeParse({});
    const source = options.success ? plugin.create(options.data, { dataRoot: places.dataRoot }) : undefined;
    if (source?.folder === undefined) {
      return [];
    }
    const found = source.folder;
    return [{ what: `data ${name}`, state: source.exists() ? "works" : "absent", found }];
  });
  return [{ what: "data root", state: "works", found: places.dataRoot }, ...sets];
}

async function checkTracking(): Promise<Finding> {
  const what = "mlflow";
  if ((process.env.MLFLOW_TRACKING_URI ?? "") === "") {
    const mend = "set MLFLOW_TRACKING_URI to send runs to a server";
    return { what, state: "absent", found: "MLFLOW_TRACKING_URI is not set; runs stay local", mend };
  }
  try {
    const { version } = await new MlflowClient().serverInfo();
    return { what, state: "works", found: `server version ${version ?? "unknown"}` };
  } catch (error) {
    return { what, state: "broken", found: (error as Error).message, mend: "start the server, or correct the address" };
  }
}

function checkRuns({ places }: Site): Finding {
  const what = "runs folder";
  const found = places.runs;
  let folder = found;
  while (!existsSync(folder)) {
    folder = dirname(folder);
  }
  try {
    accessSync(folder, constants.W_OK);
    return { what, state: "works", found };
  } catch {
    return { what, state: "broken", found: `${folder} cannot be written`, mend: "give another one with --runs DIR" };
  }
}
