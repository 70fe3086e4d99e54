// `exp data check`: opens a feature folder or file and says what is in it and what is wrong; its sister commands.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SPLITS, type Task } from "@merclab/core";
import { checkFolder, type FolderReport, importFile } from "@merclab/data";
import { Command } from "commander";
import pc from "picocolors";
import { columns, EXIT, printJson, printText } from "../output.ts";
import { importCommand, layoutsCommand, parseBorders } from "./data-import.ts";
import { knownSet } from "./data-sets.ts";
import { splitCommand } from "./data-split.ts";
import { textCommand } from "./data-text.ts";

export function dataCommand(): Command {
  const check = new Command("check")
    .description("Look into a feature folder or file: sizes, classes, ranges, leaks, and every problem with its place")
    .argument(
      "<dir|file>",
      "a folder with dataset.yaml, one of a known set (iemocap, cmu-mosi, meld), or a feature file",
    )
    .option("--as <layout>", "layout of a file; detected without it")
    .option("--target <name>", "what a file's labels are, where it has several kinds; one of a folder's targets")
    .option("--cut <borders>", "borders that cut a file's real-valued labels into classes", parseBorders)
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      "\nExit code 1 where there are errors.\n\nExamples:\n  $ exp data check data/iemocap\n  $ exp data check iemocap_multimodal_features.pkl\n  $ exp data check ~/features/mine --json",
    )
    .action(async (place: string, options: CheckOptions) => {
      const report = isFile(place) ? await checkFile(place, options) : await checkDirectory(place, options);
      if (options.json === true) {
        printJson(report);
      } else {
        printText(describe(report));
      }
      process.exitCode = report.problems.length > 0 ? EXIT.failed : EXIT.done;
    });
  return new Command("data")
    .description("Import, check, split and complete data")
    .addCommand(check)
    .addCommand(importCommand())
    .addCommand(layoutsCommand())
    .addCommand(splitCommand())
    .addCommand(textCommand());
}

interface CheckOptions {
  readonly as?: string;
  readonly target?: string;
  readonly cut?: number[];
  readonly json?: boolean;
}

function isFile(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() === true;
}

async function checkDirectory(dir: string, { target }: CheckOptions): Promise<FolderReport> {
  const { folder, known } = knownSet(dir);
  return checkFolder(folder, known, target ?? null);
}

/** A file is imported to a temporary folder, which is checked and removed: the same checks for both. */
async function checkFile(path: string, { as: layout, target, cut }: CheckOptions): Promise<FolderReport> {
  const out = mkdtempSync(join(tmpdir(), "merclab-check-"));
  try {
    await importFile({ path, out, layout, target, cut });
    const report = await checkFolder(out);
    // Places in the temporary folder mean nothing to the reader.
    const problems = report.problems.map((problem) => ({ ...problem, where: path }));
    return { ...report, problems, folder: resolve(path), describedIn: "the file itself" };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function taskText(task: Task): string {
  switch (task.type) {
    case "single-label":
      return `${task.classes.length} classes`;
    case "multi-label":
      return `${task.labels.length} labels, of which several can hold`;
    case "regression":
      return `scores from ${task.range[0]} to ${task.range[1]}, counted by the nearest of the numbers below`;
  }
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
            `${split.shortest} / ${split.meanLength.toFixed(1)} / ${split.longest}`,
            String(split.single),
            ...split.classCounts.map(String),
          ],
        ];
  });
  const modalityRows = modalities.map((each) => [
    each.name,
    String(each.width),
    ...[each.min, each.max, each.mean].map((value) => value.toPrecision(4)),
    String(each.constantColumns.length),
    String(each.duplicateColumns.length),
    `${(100 - (100 * (each.missing + each.zeroVectors)) / Math.max(1, each.utterances)).toFixed(1)} %`,
    String(each.notANumber),
    String(each.infinite),
  ]);
  const verdict = problems.length === 0 ? pc.green("can be trained on") : pc.red(`${problems.length} problems`);
  return [
    `${pc.bold(report.name)}  ${report.folder}  ${verdict}`,
    `described in ${report.describedIn}; ${report.numSpeakers} speakers; ${taskText(report.task)}`,
    ...(report.provenance === undefined
      ? []
      : [
          `imported from ${report.provenance.sources.map(({ file }) => file).join(", ")}, layout ${report.provenance.layout}`,
        ]),
    ...(splitRows.length === 0
      ? []
      : [
          "",
          columns([
            ["split", "dialogues", "utterances", "shortest / mean / longest", "single", ...classes],
            ...splitRows,
          ]),
        ]),
    ...(modalityRows.length === 0
      ? []
      : [
          "",
          columns([
            ["modality", "width", "min", "max", "mean", "constant", "duplicate", "coverage", "NaN", "infinite"],
            ...modalityRows,
          ]),
        ]),
    ...(problems.length === 0
      ? []
      : [
          "",
          ...problems.map(
            ({ message, where, hint }) =>
              `${pc.red("error")} ${message}\n  at ${where}${hint === undefined ? "" : `\n  ${pc.dim("→")} ${hint}`}`,
          ),
        ]),
    ...(warnings.length === 0 ? [] : ["", ...warnings.map((warning) => `${pc.yellow("warning")} ${warning}`)]),
  ].join("\n");
}
