// `exp sync`: stored studies to an MLflow server.
import { MerclabError, nearestName } from "@merclab/core";
import { readExperimentNames, type SyncedStudy, type Syncer, type SyncVerification } from "@merclab/runner";
import { Command } from "commander";
import { columns, EXIT, printJson, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { createSyncProgress, openSyncer, serverError, syncAll, syncedRows, watch } from "../syncing.ts";
import { parseSeconds } from "./parse-numbers.ts";

const EXAMPLES = `
Examples:
  $ exp sync                                      all studies, to MLFLOW_TRACKING_URI
  $ exp sync sdt-vs-lmam --to http://server:5000
  $ exp sync --watch                              and whatever is trained from now on, until Ctrl-C
  $ exp sync --verify                             then compares every metric with the server

Exit codes: ${EXIT.done} all is there, ${EXIT.failed} the server cannot be reached or lets nobody in, ${EXIT.usage} usage, ${EXIT.refused} something was refused
or differs. What was refused lies in journal.rejected.jsonl of the trial's folder, with the reason.`;

interface SyncOptions {
  readonly to?: string;
  readonly runs: string;
  readonly watch?: boolean;
  readonly verify?: boolean;
  readonly patience: number;
  readonly json?: boolean;
}

export function syncCommand(): Command {
  return new Command("sync")
    .description("Send stored studies to an MLflow server: what it has already is not sent again")
    .argument("[experiment]", "name of an experiment that ran (default: all)")
    .option("--to <uri>", "address of the server (default: MLFLOW_TRACKING_URI)")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--watch", "go on with what is trained from now on")
    .option("--verify", "compare every metric with the server afterwards")
    .option("--patience <seconds>", "how long to try when the server does not answer", parseSeconds, 600)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (experiment: string | undefined, options: SyncOptions) => {
      process.exitCode = await sync(experiment, options);
    });
}

async function sync(experiment: string | undefined, options: SyncOptions): Promise<number> {
  const { runs } = findPlaces({ runs: options.runs });
  const uri = options.to ?? process.env.MLFLOW_TRACKING_URI ?? "";
  if (uri === "") {
    throw new MerclabError("config", "no server to send to", {
      hint: "Give --to http://HOST:PORT, or set MLFLOW_TRACKING_URI; exp ui starts a server on this machine.",
    });
  }
  await requireStored(experiment, runs, options);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const progress = createSyncProgress();
  const syncer = openSyncer({ runs, uri, stop: stop.signal, patience: 1000 * options.patience, progress });
  try {
    const studies = await syncAll(syncer, experiment, runs);
    progress.end();
    const verified: SyncVerification[] = [];
    if (options.verify === true) {
      for (const study of studies) {
        verified.push(await syncer.verify(study.experiment));
      }
    }
    report(syncer, studies, options.verify === true ? verified : undefined, options.json === true);
    if (options.watch === true) {
      await watch(() => syncAll(syncer, experiment, runs), stop.signal, uri);
    }
    if (options.watch === true) {
      return EXIT.done;
    }
    const isWhole = studies.every(({ rejected, refused }) => rejected === 0 && refused.length === 0);
    return isWhole && verified.every(({ differences }) => differences.length === 0) ? EXIT.done : EXIT.refused;
  } catch (error) {
    progress.end();
    if (stop.signal.aborted) {
      printNote("Interrupted; the same command sends the rest.");
      return EXIT.interrupted;
    }
    throw serverError(error, uri);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function requireStored(experiment: string | undefined, runs: string, { watch }: SyncOptions): Promise<void> {
  const names = await readExperimentNames(runs);
  if (watch === true || (experiment === undefined ? names.length > 0 : names.includes(experiment))) {
    return;
  }
  const near = experiment === undefined ? undefined : nearestName(experiment, names);
  const what = experiment === undefined ? "no experiment" : `experiment "${experiment}"`;
  throw new MerclabError("config", `${what} has ${experiment === undefined ? "" : "no "}stored runs in ${runs}`, {
    hint: `${near === undefined ? "" : `Did you mean "${near}"? `}Give the folder of the runs with --runs DIR.`,
  });
}

function report(
  { trackingUri }: Syncer,
  studies: readonly SyncedStudy[],
  verified: readonly SyncVerification[] | undefined,
  json: boolean,
): void {
  if (json) {
    printJson({ trackingUri, studies, ...(verified === undefined ? {} : { verified }) });
    return;
  }
  printText(columns(syncedRows(studies)));
  for (const { experiment, metrics, points, differences } of verified ?? []) {
    const checked = `${metrics.toLocaleString("en-US")} metrics, ${points.toLocaleString("en-US")} points`;
    printText(
      differences.length === 0
        ? `${experiment}: ${checked} are on the server, each once`
        : `${experiment}: ${differences.length} of ${checked} differ on the server`,
    );
    for (const { trial, metric, stored, onServer, missing, doubled } of differences) {
      printText(`  ${trial} ${metric}: ${stored} stored, ${onServer} there; ${missing} missing, ${doubled} doubled`);
    }
  }
}
