// `exp data check`: opens a feature folder and says what is in it and what is wrong.
import { basename, resolve } from "node:path";
import { SPLITS } from "@merclab/core";
import { checkFolder, type FolderReport, KNOWN_SETS, type KnownSet } from "@merclab/data";
import { Command } from "commander";
import pc from "picocolors";
import { columns, EXIT, printJson, printText } from "../output.ts";
import { importCommand, layoutsCommand } from "./data-import.ts";

export function dataCommand(): Command {
  const check = new Command("check")
    .description("Open a feature folder: sizes, classes, ranges, and every problem with its place")
    .argument("<dir>", "a folder with dataset.yaml, or one of a known set (iemocap, cmu-mosi, meld)")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp data check data/iemocap\n  $ exp data check ~/features/mine --json")
    .action(async (dir: string, options: { json?: boolean }) => {
      const folder = resolve(dir);
      const name = basename(folder);
      const known = (KNOWN_SETS as readonly string[]).includes(name) ? (name as KnownSet) : undefined;
      const report = await checkFolder(folder, known);
      if (options.json === true) {
        printJson(report);
      } else {
        printText(describe(report));
      }
      process.exitCode = report.problems.length > 0 ? EXIT.usage : EXIT.done;
    });
  return new Command("data")
    .description("Import, check and complete data")
    .addCommand(check)
    .addCommand(importCommand())
    .addCommand(layoutsCommand());
}

function describe(report: FolderReport): string {
  const { classes, splits, modalities, problems, warnings } = report;
  const splitRows = SPLITS.flatMap((name) => {
    const split = splits?.[name];
    return split === undefined
      ? []
      : [
          [
            name,
            String(split.dialogues),
            String(split.utterances),
            String(split.longest),
            ...split.classCounts.map(String),
          ],
        ];
  });
  const modalityRows = modalities.map(({ name, width, min, max, mean, constantColumns, missing }) => [
    name,
    String(width),
    ...[min, max, mean].map((value) => value.toPrecision(4)),
    String(constantColumns.length),
    String(missing),
  ]);
  const verdict = problems.length === 0 ? pc.green("can be trained on") : pc.red(`${problems.length} problems`);
  return [
    `${pc.bold(report.name)}  ${report.folder}  ${verdict}`,
    `described in ${report.describedIn}; ${report.numSpeakers} speakers`,
    ...(splitRows.length === 0
      ? []
      : ["", columns([["split", "dialogues", "utterances", "longest", ...classes], ...splitRows])]),
    ...(modalityRows.length === 0
      ? []
      : ["", columns([["modality", "width", "min", "max", "mean", "constant", "missing"], ...modalityRows])]),
    ...(problems.length === 0
      ? []
      : ["", ...problems.map(({ message, where }) => `${pc.red("error")} ${message}\n  at ${where}`)]),
    ...(warnings.length === 0 ? [] : ["", ...warnings.map((warning) => `${pc.yellow("warning")} ${warning}`)]),
  ].join("\n");
}
