// Sends a study to MLflow where MLFLOW_TRACKING_URI names a server; training never notices.
import { formatTable, type Table } from "@merclab/report";
import {
  createTracker,
  type EndStatus,
  experimentFolder,
  type StudyEvent,
  type StudyPlan,
  type StudyTable,
} from "@merclab/runner";
import pc from "picocolors";

/** How long the end of a study waits for the server. */
const CLOSE_TIMEOUT_MS = 15_000;

export interface Tracking {
  follow(event: StudyEvent): void;
  end(tables: readonly Table[], status: EndStatus): Promise<void>;
}

/**
 * @param note prints a line without disturbing the progress display
 * @returns undefined when nothing is tracked
 */
export function openTracking(plan: StudyPlan, runsFolder: string, note: (text: string) => void): Tracking | undefined {
  const { experiment } = plan;
  const tracker = createTracker({
    uri: process.env.MLFLOW_TRACKING_URI,
    experiment: experiment.name,
    folder: experimentFolder(runsFolder, experiment.name),
    warn: (message) => note(`${pc.yellow("mlflow")} ${message}`),
  });
  if (tracker === undefined) {
    return undefined;
  }
  return {
    follow: ({ type, folder }) => {
      const tell = {
        found: tracker.trialFound,
        "passed over": tracker.trialFound,
        started: tracker.trialStarted,
        epoch: tracker.trialProgressed,
        note: undefined,
        done: tracker.trialEnded,
        failed: tracker.trialEnded,
        cancelled: tracker.trialEnded,
        elsewhere: undefined,
      }[type];
      tell?.(folder);
    },
    end: async (tables, status) => {
      tracker.studyEnded(trackedTables(experiment.name, tables), status);
      const { pending } = await tracker.close(CLOSE_TIMEOUT_MS);
      if (pending > 0) {
        note(
          `${pc.yellow("mlflow")} ${pending} runs are not completely sent; the same command or exp sync sends the rest.`,
        );
      }
    },
  };
}

/** The tables of an experiment as they are kept with its run. */
export function trackedTables(experiment: string, tables: readonly Table[]): StudyTable[] {
  return tables.map((table, i) => ({
    name: tables.length === 1 ? experiment : `${experiment}-${i + 1}`,
    markdown: formatTable(table, "md"),
    csv: formatTable(table, "csv"),
    json: formatTable(table, "json"),
  }));
}
