// Sends a study to MLflow where MLFLOW_TRACKING_URI names a server, while it is trained here or watched; training never
// notices.
import { formatTable, type Table } from "@merclab/report";
import {
  createTracker,
  type EndStatus,
  experimentFolder,
  LIVE_STATES,
  type StudyEvent,
  type StudyTable,
  type TrialView,
} from "@merclab/runner";
import pc from "picocolors";

/** How long the end of a study waits for the server. */
const CLOSE_TIMEOUT_MS = 15_000;

export interface Tracking {
  /** What happens to trials that are trained here. */
  follow(event: StudyEvent): void;
  /** How trials stand that are trained wherever; what is unchanged since the last look is not sent again. */
  look(trials: readonly TrialView[]): void;
  /** Sends what is left, and how the study ended; undefined where it goes on. */
  end(ending: { readonly tables: readonly Table[]; readonly status: EndStatus } | undefined): Promise<void>;
}

/**
 * @param note prints a line without disturbing the progress display
 * @returns undefined when nothing is tracked
 */
export function openTracking(
  experiment: string,
  runsFolder: string,
  note: (text: string) => void,
): Tracking | undefined {
  const tracker = createTracker({
    uri: process.env.MLFLOW_TRACKING_URI,
    experiment,
    folder: experimentFolder(runsFolder, experiment),
    warn: (message) => note(`${pc.yellow("mlflow")} ${message}`),
  });
  if (tracker === undefined) {
    return undefined;
  }
  /** By folder, state, attempt and epoch. */
  const seen = new Map<string, string>();
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
    look: (trials) => {
      for (const { folder, state, attempt, epoch, result } of trials) {
        const hasBegun = attempt > 0 || result !== undefined;
        const now = [state, attempt, epoch].join();
        if (hasBegun && seen.get(folder) !== now) {
          seen.set(folder, now);
          (LIVE_STATES.has(state) ? tracker.trialProgressed : tracker.trialEnded)(folder);
        }
      }
    },
    end: async (ending) => {
      if (ending !== undefined) {
        tracker.studyEnded(trackedTables(experiment, ending.tables), ending.status);
      }
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
