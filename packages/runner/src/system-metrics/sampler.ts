// Samples machine and process while a trial trains, into `system.jsonl` of its folder: lines like those of the journal,
// numbered over all attempts. A step that keeps the process busy delays a sample; what it says is about the whole time
// since the one before all the same.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { MerclabError } from "@merclab/core";
import { metricsRecord } from "../store/journal.ts";
import { createGpuReader } from "./gpus.ts";
import { readClocks, systemSample } from "./system-sample.ts";

export interface Sampling {
  /** Seconds between two samples; 0 for none. */
  readonly seconds: number;
}

const DEFAULT_SECONDS = 10;

/**
 * MLflow's own switches: `MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING` (here true unless it says otherwise) and
 * `MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL` in seconds.
 *
 * @throws MerclabError `config`
 */
export function samplingFrom(environment: NodeJS.ProcessEnv): Sampling {
  const { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: enable = "", MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: interval = "" } =
    environment;
  if (!["", "true", "false", "1", "0"].includes(enable.toLowerCase())) {
    throw new MerclabError("config", `"${enable}" says neither yes nor no`, {
      where: "environment variable MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING",
      hint: "Set it to true or false.",
    });
  }
  const seconds = interval === "" ? DEFAULT_SECONDS : Number(interval);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new MerclabError("config", `"${interval}" is no number of seconds`, {
      where: "environment variable MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL",
      hint: `Give a positive number, or leave it out for ${DEFAULT_SECONDS}.`,
    });
  }
  return { seconds: ["false", "0"].includes(enable.toLowerCase()) ? 0 : seconds };
}

/** @returns takes a last sample and ends; never rejects, since a trial is worth more than its system metrics */
export function startSampling(file: string, { seconds }: Sampling): () => Promise<void> {
  if (seconds === 0) {
    return async () => undefined;
  }
  const readGpus = createGpuReader();
  let before = readClocks();
  let step = countLines(file);
  let isOver = false;
  let running: Promise<void> | undefined;

  async function sample(): Promise<void> {
    try {
      const now = readClocks();
      const values = await systemSample(before, now, dirname(file), await readGpus());
      before = now;
      appendFileSync(file, `${JSON.stringify(metricsRecord(step, values))}\n`);
      step += 1;
    } catch {
      isOver = true; // the disk is full, or the folder is gone: the trial itself will say so
    }
  }

  const take = (): Promise<void> => {
    running ??= sample().finally(() => {
      running = undefined;
    });
    return running;
  };
  const timer = setInterval(() => {
    if (isOver) {
      clearInterval(timer);
    } else {
      void take();
    }
  }, 1000 * seconds).unref();
  return async () => {
    clearInterval(timer);
    await running;
    if (!isOver) {
      await take();
    }
    isOver = true;
  };
}

/** Samples of earlier attempts; a line that a kill has torn is ended, so that the next one stands by itself. */
function countLines(file: string): number {
  if (!existsSync(file)) {
    return 0;
  }
  const text = readFileSync(file, "utf8");
  if (text !== "" && !text.endsWith("\n")) {
    appendFileSync(file, "\n");
  }
  return text.split("\n").filter((line) => line !== "").length;
}
