// `exp table`: the tables of an experiment from its stored runs.
import { formatTable, TABLE_FORMATS, type TableFormat } from "@merclab/report";
import { Command, Option } from "commander";
import { printJson, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { compileTables, tablesText } from "../tables.ts";

export function tableCommand(): Command {
  return new Command("table")
    .description("Print the tables of an experiment from its stored runs")
    .argument("<experiment>", "name of an experiment that ran")
    .option("--runs <dir>", "where runs are stored", "runs")
    .addOption(new Option("--format <format>", "how to print").choices(TABLE_FORMATS).default("terminal"))
    .option("--json", "the same as --format json")
    .addHelpText(
      "after",
      "\nExamples:\n  $ exp table sdt-vs-lmam\n  $ exp table sdt-vs-lmam --format latex > table.tex",
    )
    .action(async (experiment: string, options: { runs: string; format: TableFormat; json?: boolean }) => {
      const { runs } = findPlaces({ runs: options.runs });
      const tables = await compileTables(runs, experiment);
      if (options.json === true || options.format === "json") {
        printJson(tables.map((table) => JSON.parse(formatTable(table, "json")) as unknown));
      } else {
        printText(tablesText(tables, options.format));
      }
    });
}
