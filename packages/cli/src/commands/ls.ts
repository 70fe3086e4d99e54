// `exp ls`: what there is.
import { basename } from "node:path";
import { PLUGIN_KINDS } from "@merclab/core";
import { GROUPS, listExperiments, readExperiment, readExperimentNames, readTrials } from "@merclab/runner";
import { Argument, Command } from "commander";
import { columns, printJson, printText } from "../output.ts";
import { scoreText } from "../score-text.ts";
import { openSite, type Site } from "../site.ts";
import { trialLabel } from "../trial-label.ts";

const WHAT = ["experiments", "plugins", "datasets", "runs"] as const;

type Row = Readonly<Record<string, string | number | boolean | null>>;

export function lsCommand(): Command {
  return new Command("ls")
    .description("List experiments, plugins, datasets or runs")
    .addArgument(new Argument("[what]", "what to list").choices(WHAT).default("experiments"))
    .option("--data <dir>", "data root")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp ls\n  $ exp ls plugins\n  $ exp ls runs --json")
    .action(async (what: (typeof WHAT)[number], options: { data?: string; runs: string; json?: boolean }) => {
      const rows = await LISTS[what](await openSite(options));
      if (options.json === true) {
        printJson(rows);
      } else if (rows.length === 0) {
        printText(`no ${what}`);
      } else {
        const heads = Object.keys(rows[0] ?? {});
        printText(columns([heads, ...rows.map((row) => heads.map((head) => String(row[head] ?? "–")))]));
      }
    });
}

const LISTS: Readonly<Record<(typeof WHAT)[number], (site: Site) => Promise<Row[]>>> = {
  experiments: async ({ places }) => {
    const found = await listExperiments(places.experiments);
    return Promise.all(
      [...found].sort().map(async ([name, file]): Promise<Row> => {
        try {
          const { view, title, datasets, seeds } = await readExperiment(file, []);
          return {
            name,
            title: view?.title ?? title,
            datasets: datasets.map((each) => each.name).join(", "),
            seeds: seeds.length,
          };
        } catch (error) {
          // One broken file must not hide the others.
          return { name, title: `broken: ${(error as Error).message.split("\n")[0]}`, datasets: null, seeds: null };
        }
      }),
    );
  },

  plugins: async ({ registry, groups, own }) => {
    const plugins = PLUGIN_KINDS.flatMap((kind) => registry.names(kind).map((name) => registry.get(kind, name)));
    const rows: Row[] = plugins.map((plugin) => {
      const from = own.find((each) => each.plugins.includes(plugin))?.entry ?? "plugin";
      return { group: plugin.kind, name: plugin.name, from, summary: plugin.summary };
    });
    for (const group of GROUPS) {
      for (const name of await groups.names(group)) {
        const choice = await groups.choice(group, name, undefined);
        if (choice.summary !== undefined) {
          rows.push({ group, name, from: "config", summary: choice.summary });
        }
      }
    }
    return rows;
  },

  datasets: async ({ registry, places }) =>
    registry.names("dataset").flatMap((name): Row[] => {
      const plugin = registry.get("dataset", name);
      const options = plugin.options.safeParse({});
      if (!options.success) {
        return []; // needs options, such as the path of a folder
      }
      const source = plugin.create(options.data, { dataRoot: places.dataRoot });
      const found = source.folder === undefined ? "built in" : source.exists() ? "found" : "not found";
      return [{ name, found, folder: source.folder ?? null, summary: plugin.summary }];
    }),

  runs: async ({ places }) => {
    const names = await readExperimentNames(places.runs);
    const trials = await Promise.all(names.map((name) => readTrials(places.runs, name)));
    return trials.flat().map(({ folder, spec, status, result }) => {
      const score = result?.test.validSelected.metrics[result.selection.metric];
      return {
        run: basename(folder),
        experiment: spec.experiment,
        what: trialLabel(spec),
        state: result === undefined ? (status?.state ?? "planned") : "done",
        score: result === undefined || score === undefined ? null : Number(scoreText(result.selection.metric, score)),
        data: spec.data.source,
      };
    });
  },
};
