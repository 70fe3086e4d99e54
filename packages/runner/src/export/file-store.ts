// MLflow's file store, written without MLflow: `mlruns/` folders as its 1.x to 3.x releases read them (those from 3.13 on
// with MLFLOW_ALLOW_FILE_STORE=true, or after `mlflow migrate-filestore`). Ids come from the names, so that the same study gets
// the same ids every time.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MerclabError } from "@merclab/core";
import type { DatasetInput, Metric } from "mlflow-js-client";
import { stringify } from "yaml";
import type { RunContent, StudyContent } from "./run-content.ts";

export interface ExportedStudy {
  readonly experiment: string;
  readonly experimentId: string;
  /** Of the experiment, in the file store. */
  readonly folder: string;
  readonly runs: number;
  readonly points: number;
}

const STATUS = { RUNNING: 1, FINISHED: 3, FAILED: 4, KILLED: 5 } as const;

/**
 * Writes aside and renames, so that an experiment is there as a whole or not at all.
 *
 * @param out the `mlruns` folder; other experiments in it stay
 * @throws MerclabError `storage` when the experiment is in the folder already, or it cannot be written
 */
export async function writeFileStore(study: StudyContent, out: string): Promise<ExportedStudy> {
  const experimentId = idOfExperiment(study.experiment);
  const folder = join(resolve(out), experimentId);
  if (existsSync(folder)) {
    throw new MerclabError("storage", `${out} holds experiment "${study.experiment}" already`, {
      where: folder,
      hint: "Remove that folder to export it again, or give another one with --out DIR.",
    });
  }
  const draft = `${folder}.${process.pid}.new`;
  const runs = [study.parent, ...study.children];
  try {
    await writeExperiment(draft, folder, experimentId, study);
    for (const run of runs) {
      await writeRun(draft, folder, experimentId, run, run === study.parent ? undefined : study.parent);
    }
    await rename(draft, folder);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (cause instanceof MerclabError) {
      throw cause;
    }
    throw new MerclabError("storage", `cannot write ${folder}: ${(cause as Error).message}`, {
      hint: "Check space and permissions, or give another folder with --out DIR.",
      cause,
    });
  }
  return {
    experiment: study.experiment,
    experimentId,
    folder,
    runs: runs.length,
    points: runs.reduce((sum, { points }) => sum + points.length, 0),
  };
}

/** Nine digits: MLflow's own eighteen do not fit the column of every database that runs may be moved to. */
function idOfExperiment(name: string): string {
  return String(100_000_000 + (createHash("sha256").update(name).digest().readUInt32BE() % 900_000_000));
}

export function idOfRun({ key }: RunContent): string {
  return hash("sha256", key).slice(0, 32);
}

async function writeExperiment(draft: string, folder: string, id: string, { experiment, parent }: StudyContent) {
  await writeYaml(join(draft, "meta.yaml"), {
    artifact_location: pathToFileURL(folder).href,
    creation_time: parent.startTime,
    experiment_id: id,
    last_update_time: parent.endTime ?? parent.startTime,
    lifecycle_stage: "active",
    name: experiment,
  });
}

/** @param folder where the experiment will lie, for addresses */
async function writeRun(
  draft: string,
  folder: string,
  experimentId: string,
  run: RunContent,
  parent: RunContent | undefined,
): Promise<void> {
  const id = idOfRun(run);
  const at = join(draft, id);
  await writeYaml(join(at, "meta.yaml"), {
    artifact_uri: pathToFileURL(join(folder, id, "artifacts")).href,
    deleted_time: null,
    end_time: run.endTime ?? null,
    entry_point_name: "",
    experiment_id: experimentId,
    lifecycle_stage: "active",
    run_id: id,
    run_name: run.name,
    run_uuid: id,
    source_name: "",
    source_type: 4,
    source_version: "",
    start_time: run.startTime,
    status: STATUS[run.status],
    tags: [],
    user_id: run.tags.get("mlflow.user") ?? "",
  });
  const tags = new Map(run.tags).set("mlflow.runName", run.name);
  if (parent !== undefined) {
    tags.set("mlflow.parentRunId", idOfRun(parent));
  }
  for (const name of ["metrics", "params", "tags", "artifacts"]) {
    await mkdir(join(at, name), { recursive: true });
  }
  await writeAll(join(at, "params"), run.params);
  await writeAll(join(at, "tags"), tags);
  await writeAll(join(at, "metrics"), metricFiles(run.points));
  await writeAll(join(at, "artifacts"), run.files);
  for (const input of run.datasets) {
    await writeInput(draft, at, id, input);
  }
}

function metricFiles(points: readonly Metric[]): Map<string, string> {
  const files = new Map<string, string[]>();
  for (const { key, timestamp, value, step } of points) {
    const lines = files.get(key) ?? [];
    lines.push(`${timestamp} ${value} ${step}\n`);
    files.set(key, lines);
  }
  return new Map([...files].map(([key, lines]) => [key, lines.join("")]));
}

/** @throws MerclabError `storage` where one name is a file and another one needs it as a folder */
async function writeAll(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
  const parents = new Set(
    [...texts.keys()].flatMap((name) => name.split("/").map((_, i, parts) => parts.slice(0, i).join("/"))),
  );
  for (const [name, text] of texts) {
    if (parents.has(name)) {
      throw new MerclabError("storage", `a file store cannot hold both "${name}" and "${name}/…"`, {
        hint: "Send the study to a server instead: exp sync",
      });
    }
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function writeInput(draft: string, run: string, runId: string, { dataset, context, tags }: DatasetInput) {
  const { name, digest, sourceType, source, schema, profile } = dataset;
  const datasetId = hash("md5", `${name}${digest}`);
  await writeYaml(join(draft, "datasets", datasetId, "meta.yaml"), {
    digest,
    name,
    profile: profile ?? null,
    schema: schema ?? null,
    source,
    source_type: sourceType,
  });
  await writeYaml(join(run, "inputs", hash("md5", `${datasetId}${runId}`), "meta.yaml"), {
    destination_id: runId,
    destination_type: "RUN",
    source_id: datasetId,
    source_type: "DATASET",
    tags: { ...tags, ...(context === undefined ? {} : { "mlflow.data.context": context }) },
  });
}

/** MLflow reads YAML 1.1. */
async function writeYaml(file: string, value: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, stringify(value, { version: "1.1", lineWidth: 0 }));
}

function hash(algorithm: "sha256" | "md5", text: string): string {
  return createHash(algorithm).update(text, "utf8").digest("hex");
}
