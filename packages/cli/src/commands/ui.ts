// `exp ui`: MLflow's pages on the stored studies, for as long as the command runs.
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { findMlflow } from "../mlflow/installation.ts";
import { startLocalServer } from "../mlflow/local-server.ts";
import { columns, EXIT, printJson, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { createSyncProgress, openSyncer, serverError, syncAll, syncedRows, watch } from "../syncing.ts";
import { parsePort } from "./parse-numbers.ts";

const EXAMPLES = `
Examples:
  $ exp ui
  $ exp ui --port 5000

Its store is runs/.mlflow and can be deleted: runs are sent again from their folders. Needs Python with MLflow:
  $ python3 -m pip install mlflow`;

/** Of the server's store, in the folder of the runs. */
const STORE = ".mlflow";

interface UiOptions {
  readonly port?: number;
  readonly runs: string;
  readonly json?: boolean;
}

export function uiCommand(): Command {
  return new Command("ui")
    .description("Start MLflow's server on this machine and send it all stored studies, and what is trained meanwhile")
    .option("--port <n>", "port on 127.0.0.1 (default: a free one)", parsePort)
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout, once the studies are there")
    .addHelpText("after", EXAMPLES)
    .action(async (options: UiOptions) => {
      process.exitCode = await ui(options);
    });
}

async function ui({ port, runs: folder, json }: UiOptions): Promise<number> {
  const { runs } = findPlaces({ runs: folder });
  const mlflow = await findMlflow();
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  printNote(`Starting MLflow (${mlflow.join(" ")}) …`);
  const server = await startLocalServer(mlflow, join(runs, STORE), port, interrupted.signal).catch((error: unknown) => {
    if (!interrupted.signal.aborted) {
      throw error;
    }
    return undefined;
  });
  if (server === undefined) {
    return EXIT.interrupted;
  }
  const { uri } = server;
  const stop = AbortSignal.any([interrupted.signal, server.gone]);
  try {
    const progress = createSyncProgress();
    printNote(`${pc.bold(uri)}  MLflow ${server.version ?? ""}, Ctrl-C ends it`);
    const syncer = openSyncer({ runs, uri, stop, patience: 60_000, progress, env: {} });
    const send = async () => {
      const studies = await syncAll(syncer, undefined, runs);
      progress.end();
      return studies;
    };
    const studies = await send();
    if (json === true) {
      printJson({ uri, version: server.version, store: join(runs, STORE), studies });
    } else {
      printText(studies.length === 0 ? `No stored runs in ${runs} yet.` : columns(syncedRows(studies)));
    }
    await watch(send, stop, uri);
  } catch (error) {
    if (!stop.aborted) {
      throw serverError(error, uri);
    }
  } finally {
    await server.stop();
  }
  if (interrupted.signal.aborted) {
    return EXIT.done;
  }
  printNote(`${pc.red("error")} MLflow's server ended by itself; its log is ${server.log}`);
  return EXIT.failed;
}
