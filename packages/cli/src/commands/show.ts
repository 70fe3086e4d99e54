// `exp show`: one run with its config, curves and scores.
import { join } from "node:path";
import { type JournalRecord, readJournal, type StoredTrial, TRIAL_FILES, type TrialResult } from "@merclab/runner";
import { STANDARD_BATCH } from "@merclab/trainer";
import { Command } from "commander";
import pc from "picocolors";
import { stringify } from "yaml";
import { findTrial } from "../find-trials.ts";
import { columns, printJson, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { trialLabel } from "../trial-label.ts";

export function showCommand(): Command {
  return new Command("show")
    .description("Show one run: config, learning curves, scores per class")
    .argument("<run>", "id of a trial, or the beginning of one")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  $ exp show 3f2a\n  $ exp show 3f2a --json")
    .action(async (id: string, options: { runs: string; json?: boolean }) => {
      const trial = await findTrial(findPlaces({ runs: options.runs }).runs, id);
      const curves = readCurves(readJournal(join(trial.folder, TRIAL_FILES.journal)));
      if (options.json === true) {
        printJson({ ...trial, curves });
      } else {
        printText(describe(trial, curves));
      }
    });
}

/** Values per epoch, by metric; NaN and infinities by name. */
type Curves = Readonly<Record<string, readonly (number | string)[]>>;

function readCurves(records: readonly JournalRecord[]): Curves {
  const curves: Record<string, (number | string)[]> = {};
  for (const record of records) {
    if (record.t === "m") {
      for (const [name, value] of Object.entries(record.v)) {
        const curve = curves[name] ?? [];
        curve.push(value);
        curves[name] = curve;
      }
    }
  }
  return curves;
}

function describe({ folder, spec, status, result }: StoredTrial, curves: Curves): string {
  const synthetic = spec.data.source === "synthetic" ? [pc.yellow("SYNTHETIC DATA")] : [];
  const head = [`${pc.bold(spec.title)}  ${trialLabel(spec)}`, ...synthetic, `run ${spec.id} in ${folder}`];
  const state =
    result === undefined ? `state: ${status?.state ?? "planned"} ${status?.error ?? ""}`.trim() : "state: done";
  const curveRows = Object.entries(curves).map(([name, values]) => {
    const numbers = values.map(Number);
    return [name, sparkline(numbers), `${format(numbers[0])} → ${format(numbers.at(-1))}`];
  });
  return [
    ...head,
    state,
    "",
    pc.bold("config"),
    stringify(spec.config).trimEnd(),
    `seed: ${spec.seed}`,
    `parameters: ${spec.parameters.trainable.toLocaleString("en-US")} trainable of ${spec.parameters.total.toLocaleString("en-US")}`,
    ...(result?.cost === undefined ? [] : [costLine(result.cost)]),
    ...(curveRows.length === 0 ? [] : ["", pc.bold("curves"), columns(curveRows)]),
    ...(result === undefined ? [] : ["", ...scores(result)]),
  ].join("\n");
}

function costLine(cost: NonNullable<TrialResult["cost"]>): string {
  if ("unknown" in cost) {
    return `cost: not known (${cost.unknown})`;
  }
  const { dialogues, utterances } = STANDARD_BATCH;
  const mega = (flops: number) => (flops / 1e6).toLocaleString("en-US", { maximumSignificantDigits: 4 });
  const { batch, utterance } = cost;
  return (
    `forward pass: ${mega(utterance.products)} MFLOP an utterance in products, ${mega(utterance.elementwise)} in ` +
    `everything else; ${mega(batch.products)} and ${mega(batch.elementwise)} for ${dialogues} dialogues of ${utterances}`
  );
}

function scores(result: NonNullable<StoredTrial["result"]>): string[] {
  const { validSelected, maxTest } = result.test;
  const names = Object.keys(validSelected.metrics);
  const metricRows = names.map((name) => [name, format(validSelected.metrics[name]), format(maxTest.metrics[name])]);
  const classRows = validSelected.perClass.map(({ precision, recall, f1, support }, i) => [
    result.classes[i] ?? String(i),
    ...[precision, recall, f1].map((value) => (100 * value).toFixed(2)),
    String(support),
    ...(validSelected.confusion[i] ?? []).map(String),
  ]);
  return [
    pc.bold(`test, epoch ${validSelected.epoch} chosen on validation; max-test is epoch ${maxTest.epoch}`),
    columns([["", "valid-selected", "max-test"], ...metricRows]),
    ...(classRows.length === 0
      ? []
      : ["", ...perClass(validSelected.confusion.length > 0 ? result.classes : [], classRows)]),
    `the seal of the test labels was opened at ${result.seal.openedAt}: ${result.seal.reason}`,
  ];
}

/** @param predicted classes whose confusion the rows tell; none where an utterance can have several labels */
function perClass(predicted: readonly string[], rows: readonly string[][]): string[] {
  return [
    pc.bold(predicted.length > 0 ? "per class, and how often each was predicted" : "per label"),
    columns([["", "precision", "recall", "F1", "n", ...predicted], ...rows]),
  ];
}

function format(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(4);
}

/** One character per epoch, at most 60, from the lowest value to the highest. */
function sparkline(values: readonly number[]): string {
  const step = Math.max(1, Math.ceil(values.length / 60));
  const shown = values.filter((_, i) => i % step === 0);
  const finite = shown.filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low || 1;
  return shown.map((value) => "▁▂▃▄▅▆▇█"[Number.isFinite(value) ? Math.round((7 * (value - low)) / span) : 0]).join("");
}
