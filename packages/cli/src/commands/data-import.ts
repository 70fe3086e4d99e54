// `exp data import` and `exp data layouts`: feature files as the field passes them round, to feature folders.
import { SPLITS } from "@merclab/core";
import { type ImportReport, importFile, LAYOUTS } from "@merclab/data";
import { Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { columns, printJson, printNote, printText } from "../output.ts";

interface Options {
  readonly as?: string;
  readonly out: string;
  readonly target?: string;
  readonly cut?: number[];
  readonly textLayers: "first" | "mean" | "concat" | "separate";
  readonly nonFinite: "keep" | "zero" | "missing";
  readonly features?: Record<string, string>;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ exp data import iemocap_multimodal_features.pkl --out data/iemocap-sdt
  $ exp data import unaligned_50.pkl --as mmsa --out data/mosei --target three_class --non-finite zero
  $ exp data import train_sent_emo.csv --out data/meld-text --features text=text_glove_average_emotion.pkl`;

export function importCommand(): Command {
  return new Command("import")
    .description("Turn a feature file of the field into a feature folder; its layout is detected, and stated")
    .argument("<file>", "pickle, npz, csv, safetensors or HDF5 file")
    .requiredOption("--out <dir>", "folder to write, new or empty")
    .option("--as <layout>", "the file's layout; exp data layouts lists all")
    .option("--target <column>", "what to predict, where the file has several kinds of labels")
    .option("--cut <borders>", "borders that cut real-valued labels into classes, e.g. 0 or -0.3,0.3", parseBorders)
    .addOption(
      new Option("--text-layers <how>", "what becomes of RoBERTa's four layers")
        .choices(["first", "mean", "concat", "separate"])
        .default("first"),
    )
    .addOption(
      new Option("--non-finite <how>", "what becomes of NaN and infinite values")
        .choices(["keep", "zero", "missing"])
        .default("keep"),
    )
    .option("--features <name=path>", "a further modality from a file or folder of its own; repeatable", parseFeatures)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: Options) => {
      const { as: layout, out, target, cut, textLayers, nonFinite, features = {}, json } = options;
      const report = await importFile({ path: file, out, layout, target, cut, textLayers, nonFinite, features });
      if (json === true) {
        printJson(report);
      } else {
        printText(describe(report));
        printNote(pc.dim(`exp data check ${out} looks for what is wrong or odd in it.`));
      }
    });
}

export function layoutsCommand(): Command {
  return new Command("layouts")
    .description("List the layouts of feature files that can be imported")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp data layouts\n  $ exp data layouts --json")
    .action(({ json }: { json?: boolean }) => {
      const rows = LAYOUTS.map(({ name, summary }) => ({ name, summary }));
      if (json === true) {
        printJson(rows);
      } else {
        printText(columns(rows.map(({ name, summary }) => [name, summary])));
      }
    });
}

function describe(report: ImportReport): string {
  const { folder, layout, detected, name, target, otherTargets, splits, modalities, notes } = report;
  const others = otherTargets.length === 0 ? "" : `; --target could be ${otherTargets.join(", ")}`;
  return [
    `${pc.bold(name)}  ${folder}`,
    `layout ${layout}${detected ? ", detected" : ""}; predicts ${target.column} (${target.classes.join(", ")})${others}`,
    "",
    columns([
      ["split", "dialogues", "utterances"],
      ...SPLITS.map((split) => [split, String(splits[split].dialogues), String(splits[split].utterances)]),
    ]),
    ...(modalities.length === 0
      ? []
      : [
          "",
          columns([
            ["modality", "width", "missing", "not finite"],
            ...modalities.map((each) => [each.name, String(each.width), String(each.missing), String(each.nonFinite)]),
          ]),
        ]),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `note: ${note}`)]),
  ].join("\n");
}

export function parseBorders(text: string): number[] {
  const borders = text.split(",").map(Number);
  if (text.trim() === "" || borders.some(Number.isNaN)) {
    throw new InvalidArgumentError("Expected numbers with commas between.");
  }
  return borders;
}

function parseFeatures(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError("Expected NAME=PATH, e.g. text=TextFeatures.pkl.");
  }
  return { ...before, [name]: path };
}
