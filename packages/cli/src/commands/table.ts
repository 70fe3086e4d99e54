// `exp table`: the tables of an experiment from its stored runs, printed, written to a file, or held against one.
import { formatOfFile, TABLE_FORMATS, type TableFormat } from "@merclab/report";
import { PAIR_TESTS, type PairTestName } from "@merclab/runner";
import { Command, Option } from "commander";
import { EXIT, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { checkTableFile, writeTableFile } from "../table-file.ts";
import { compileTables, findTables, tablesText, terminalWidth } from "../tables.ts";

const HELP = `
What --out writes and --check reads has no column of seconds: they are measured anew each time, and everything else
follows from the stored results to the byte.

Examples:
  $ exp table sdt-vs-lmam
  $ exp table sdt-vs-lmam --format latex > table.tex
  $ exp table sdt-vs-lmam --test dialogue-bootstrap
  $ exp table sdt-vs-lmam --provenance           trials, configs, data, commits and the command behind each cell
  $ exp table sdt-vs-lmam --out paper/table.tex  .tex, .md, .csv, .json, .html or .txt
  $ exp table sdt-vs-lmam --check paper/table.tex`;

interface TableOptions {
  readonly runs: string;
  readonly format: TableFormat;
  readonly json?: boolean;
  readonly test?: PairTestName;
  readonly confusion?: boolean;
  readonly provenance?: boolean;
  readonly out?: string;
  readonly check?: string;
}

export function tableCommand(): Command {
  return new Command("table")
    .description("Print the tables of an experiment from its stored runs")
    .argument("<experiment>", "name of an experiment that ran")
    .option("--runs <dir>", "where runs are stored", "runs")
    .addOption(new Option("--format <format>", "how to print").choices(TABLE_FORMATS).default("terminal"))
    .option("--json", "the same as --format json")
    .addOption(new Option("--test <name>", "compare rows by another test than the study declares").choices(PAIR_TESTS))
    .option("--confusion", "print the confusion matrix of each cell")
    .option("--provenance", "say where each cell comes from (CSV and JSON always do, but for the commits of the code)")
    .addOption(new Option("--out <file>", "write to a file, in the format of its name").conflicts(["format", "json"]))
    .addOption(
      new Option("--check <file>", "fail with what differs if a file is not what --out would write").conflicts([
        "out",
        "format",
        "json",
      ]),
    )
    .addHelpText("after", HELP)
    .action(async (experiment: string, options: TableOptions) => {
      process.exitCode = await table(experiment, options);
    });
}

async function table(experiment: string, options: TableOptions): Promise<number> {
  const places = findPlaces({ runs: options.runs });
  const { runs } = places;
  const { test, confusion: confusions = false, provenance: withProvenance = false } = options;
  const { study, view } = await findTables(experiment, places);
  const file = options.check ?? options.out;
  if (file === undefined) {
    const format = options.json === true ? "json" : options.format;
    const tables = await compileTables(runs, study, { test, view, confusions, withProvenance });
    printText(tablesText(tables, format, { width: terminalWidth(), withProvenance }));
    return EXIT.done;
  }
  const format = formatOfFile(file);
  const tables = await compileTables(runs, study, { withSeconds: false, test, view, confusions, withProvenance });
  const text = tablesText(tables, format, { withProvenance });
  if (options.check === undefined) {
    await writeTableFile(file, text);
    return EXIT.done;
  }
  const difference = await checkTableFile(file, text);
  if (difference === undefined) {
    printNote(`${file} is what the stored runs give.`);
    return EXIT.done;
  }
  printText(difference);
  printNote(`${file} is stale; to write it again: exp table ${experiment} --out ${file}`);
  return EXIT.failed;
}
