// `exp export`: stored studies in formats of other tools.
import { readStudy, studyContent, writeFileStore } from "@merclab/runner";
import { Command, Option } from "commander";
import { columns, printJson, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { compileTables } from "../tables.ts";
import { trackedTables } from "../tracking.ts";

const EXAMPLES = `
Examples:
  $ exp export sdt-vs-lmam --format mlruns --out mlruns
  $ mlflow migrate-filestore --source mlruns --target sqlite:///mlflow.db
  $ mlflow server --backend-store-uri sqlite:///mlflow.db

MLflow from 3.13 on reads such folders itself with MLFLOW_ALLOW_FILE_STORE=true only. The folder must stay where it is:
its files are known by absolute paths. Where there is a server, exp sync does more.`;

export function exportCommand(): Command {
  return new Command("export")
    .description("Write stored studies in the format of another tool")
    .argument("<experiment...>", "names of experiments that ran")
    .addOption(new Option("--format <format>", "what to write").choices(["mlruns"]).makeOptionMandatory())
    .requiredOption("--out <dir>", "folder to write into; other experiments in it stay")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (experiments: string[], options: { out: string; runs: string; json?: boolean }) => {
      const { runs } = findPlaces({ runs: options.runs });
      for (const experiment of experiments) {
        await readStudy(runs, experiment); // all of them are there, before anything is written
      }
      const exported = [];
      for (const experiment of experiments) {
        const tables = trackedTables(experiment, await compileTables(runs, experiment));
        exported.push(await writeFileStore(await studyContent(runs, experiment, tables), options.out));
      }
      if (options.json === true) {
        printJson(exported);
      } else {
        const rows = exported.map((each) => [
          each.experiment,
          `${each.runs} runs`,
          `${each.points.toLocaleString("en-US")} points`,
          each.folder,
        ]);
        printText(columns(rows));
      }
    });
}
