// Sends a study to MLflow where MLFLOW_TRACKING_URI names a server; training never notices.
import { execFileSync } from "node:child_process";
import { formatTable, type Table } from "@merclab/report";
import { createTracker, type EndStatus, experimentFolder, type StudyEvent, type StudyPlan } from "@merclab/runner";
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
  const { experiment, notices } = plan;
  const commit = gitCommit();
  const tracker = createTracker({
    uri: process.env.MLFLOW_TRACKING_URI,
    experiment: experiment.name,
    title: experiment.title,
    folder: experimentFolder(runsFolder, experiment.name),
    study: {
      tags: {
        ...(commit === undefined ? {} : { "mlflow.source.git.commit": commit }),
        ...(notices.length === 0 ? {} : { "merclab.notices": notices.join(" ") }),
      },
    },
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
      const named = tables.map((table, i) => ({
        name: tables.length === 1 ? experiment.name : `${experiment.name}-${i + 1}`,
        markdown: formatTable(table, "md"),
        csv: formatTable(table, "csv"),
        json: formatTable(table, "json"),
      }));
      tracker.studyEnded(named, status);
      const { pending } = await tracker.close(CLOSE_TIMEOUT_MS);
      if (pending > 0) {
        note(`${pc.yellow("mlflow")} ${pending} runs are not completely sent; the same command sends the rest.`);
      }
    },
  };
}

/** Commit of the folder that the command runs in, where it is a git checkout. */
function gitCommit(): string | undefined {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
