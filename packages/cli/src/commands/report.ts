// `exp report`: everything about a study on one self-contained html page.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import { createReport, readStudyMaterial, type ShownSource, standaloneSvg } from "@merclab/report";
import { experimentFolder, readShown, showTrial, TRIAL_FILES } from "@merclab/runner";
import { Command } from "commander";
import { printJson, printNote, printText } from "../output.ts";
import { openSite, type Site } from "../site.ts";
import { createSpeakerSource } from "../speakers.ts";
import { compileTables } from "../tables.ts";

interface ReportOptions {
  readonly runs: string;
  readonly data?: string;
  readonly out?: string;
  readonly svg?: string;
  readonly open?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ exp report four-way                       runs/four-way/report.html
  $ exp report four-way --open
  $ exp report four-way --svg figures/        each picture as a file of its own as well`;

export function reportCommand(): Command {
  return new Command("report")
    .description("Write one self-contained html page about an experiment, from its stored runs")
    .argument("<experiment>", "name of an experiment that ran")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--data <dir>", "data root, which says who spoke (default: MERCLAB_DATA, data/, ../shared/data)")
    .option("--out <file>", "where to write it (default: report.html in the experiment's folder of runs)")
    .option("--svg <dir>", "write every picture as an SVG file, too")
    .option("--open", "open it in the browser")
    .option("--json", "print what was written as one JSON document")
    .addHelpText("after", EXAMPLES)
    .action(writeReport);
}

async function writeReport(experiment: string, options: ReportOptions): Promise<void> {
  const site = await openSite(options);
  const { runs } = site.places;
  const material = await readStudyMaterial(runs, experiment);
  const tables = await compileTables(runs, experiment);
  const speakersOf = createSpeakerSource(site, printNote);
  const report = await createReport({ material, tables, speakersOf, shownOf: createShownSource(site) });
  const out = resolve(options.out ?? join(experimentFolder(runs, experiment), "report.html"));
  await write(out, report.html);
  if (options.svg !== undefined) {
    for (const { name, drawing } of report.pictures) {
      await write(join(resolve(options.svg), `${name}.svg`), standaloneSvg(drawing));
    }
  }
  if (options.json === true) {
    const pictures = options.svg === undefined ? [] : report.pictures.map(({ name }) => `${name}.svg`);
    printJson({ experiment, file: out, bytes: Buffer.byteLength(report.html), pictures });
  } else {
    printText(`${out} (${(Buffer.byteLength(report.html) / 1024).toFixed(0)} kB, ${report.pictures.length} pictures)`);
  }
  if (options.open === true) {
    openInBrowser(out);
  }
}

/** Stored gates, or else those of stored weights; a report does without where there are none. */
function createShownSource({ registry, places }: Site): ShownSource {
  return async ({ folder, spec }) => {
    if (folder === undefined) {
      return undefined;
    }
    try {
      return existsSync(join(folder, TRIAL_FILES.weights))
        ? await showTrial(folder, { registry, dataRoot: places.dataRoot })
        : await readShown(folder);
    } catch (error) {
      if (error instanceof MerclabError) {
        printNote(`run ${spec.id}: no gates, since ${error.message}`);
        return undefined;
      }
      throw error;
    }
  };
}

async function write(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } catch (cause) {
    throw new MerclabError("storage", `cannot write ${file}: ${(cause as Error).message}`, {
      hint: "Check space and permissions, or give another place with --out FILE.",
      cause,
    });
  }
}

/** With what the system opens files with; says so where there is no such program. */
function openInBrowser(file: string): void {
  const [program, ...parts] =
    process.platform === "darwin" ? ["open"] : process.platform === "win32" ? ["cmd", "/c", "start", ""] : ["xdg-open"];
  const opener = spawn(program as string, [...parts, file], { detached: true, stdio: "ignore" });
  opener.on("error", () => printNote(`No program here opens a browser (${program}); open the file yourself.`));
  opener.unref();
}
