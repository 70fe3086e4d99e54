// `exp verify`: trains a stored trial again and says whether the same numbers come out.
import { type Difference, type Verification, verifyTrial } from "@merclab/runner";
import { Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { findTrial } from "../find-trials.ts";
import { EXIT, printJson, printNote, printText } from "../output.ts";
import { engineNamed, openSite, versions } from "../site.ts";
import { createTicker } from "../ticker.ts";
import { trialLabel } from "../trial-label.ts";
import { parseCount } from "./parse-numbers.ts";

const DEFAULT_EPOCHS = 3;
const DEFAULT_TOLERANCE = 1e-3;

interface Options {
  readonly data?: string;
  readonly runs: string;
  readonly epochs: number | "all";
  readonly engine?: string;
  readonly tolerance: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  return new Command("verify")
    .description("Train a run again from its stored config, and say where it parts from what is stored")
    .argument("<run>", "id of a trial, or the beginning of one")
    .option("--epochs <n>", "epochs to train again, or all", parseEpochs, DEFAULT_EPOCHS)
    .option("--engine <name>", "another engine than the one that trained it")
    .option(
      "--tolerance <x>",
      "difference that is forgiven: relative where numbers are larger than 1, else absolute; 0 = none",
      parseTolerance,
      DEFAULT_TOLERANCE,
    )
    .option("--data <dir>", "data root (default: MERCLAB_DATA, data/, ../shared/data)")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--threads <n>", "threads (default: one per core, where the engine uses several)", parseCount)
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      "\nLosses of every step, scores and test predictions of every epoch and, with --epochs all, weights are compared." +
        "\nNothing of the run is changed, and test labels stay sealed. Exit codes: 0 equal or within the tolerance, 1 not." +
        "\n\nExamples:\n  $ exp verify 3f2a\n  $ exp verify 3f2a --epochs all --tolerance 0\n" +
        "  $ exp verify 3f2a --engine wasm --epochs 1",
    )
    .action(async (id: string, options: Options) => {
      process.exitCode = await verify(id, options);
    });
}

async function verify(id: string, options: Options): Promise<number> {
  const { registry, places } = await openSite(options);
  const trial = await findTrial(places.runs, id);
  const engine = options.engine === undefined ? {} : { engine: engineNamed(options.engine, registry) };
  const label = trialLabel(trial.spec);
  const ticker = createTicker(label);
  const verification = await verifyTrial(
    trial.folder,
    { tolerance: options.tolerance, epochs: options.epochs === "all" ? undefined : options.epochs },
    {
      registry,
      dataRoot: places.dataRoot,
      threads: options.threads,
      versions: versions(),
      ...engine,
      onChanges: (changes) => {
        for (const change of changes) {
          printNote(`${pc.yellow("changed")} ${change}`);
        }
      },
      onEpoch: ticker.show,
    },
  ).finally(ticker.end);
  if (options.json === true) {
    printJson(verification);
  } else {
    printText(`${pc.bold(label)}  run ${verification.id}\n${describe(verification)}`);
  }
  return verification.verdict === "diverged" ? EXIT.failed : EXIT.done;
}

function describe(verification: Verification): string {
  const { verdict, epochs, of, tolerance, engines, first, beyond, largest } = verification;
  const on =
    engines.repeated === engines.stored
      ? `on ${engines.repeated}, as then`
      : `on ${engines.repeated}, where it was trained on ${engines.stored}`;
  const trained = `${epochs} of ${of} epochs trained again ${on}`;
  const differences = Object.entries(largest)
    .map(([what, difference]) => `${what} ${difference === 0 ? "equal" : difference.toExponential(1)}`)
    .join(", ");
  switch (verdict) {
    case "bitwise equal":
      return `${pc.green("✓ bitwise equal")}: ${trained}: ${Object.keys(largest).join(", ")}`;
    case "within tolerance":
      return [
        `${pc.green("✓ within the tolerance")} of ${tolerance}: ${trained}`,
        `  largest differences: ${differences}`,
        `  first one: ${first === undefined ? "" : place(first)}`,
      ].join("\n");
    case "diverged":
      return [
        `${pc.red("✗ diverged")} at ${beyond === undefined ? "" : place(beyond)}`,
        `  tolerance ${tolerance}; ${trained}`,
        `  largest differences: ${differences}`,
        ...(first === beyond || first === undefined ? [] : [`  first one: ${place(first)}`]),
      ].join("\n");
  }
}

function place({ what, epoch, step, name, stored, repeated }: Difference): string {
  const at = `epoch ${epoch}${step === undefined ? "" : `, step ${step}`}`;
  return `${at}: ${what}${name === undefined ? "" : ` ${name}`} ${repeated}, stored ${stored}`;
}

function parseEpochs(text: string): Options["epochs"] {
  return text === "all" ? "all" : parseCount(text);
}

function parseTolerance(text: string): number {
  const tolerance = Number(text);
  if (text.trim() === "" || !Number.isFinite(tolerance) || tolerance < 0) {
    throw new InvalidArgumentError("It must be a number, 0 or more.");
  }
  return tolerance;
}
