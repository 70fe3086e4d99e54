// The server and the place on it that a study ships to: a client and what every run of the study has in common.
// The parent run is looked up once, by a tag derived from the experiment, hence found again by later processes.
import { MlflowClient, type MlflowClientOptions } from "mlflow-js-client";
import { describeStudy, type StudyDescription } from "./description.ts";
import { shortHash } from "./hashes.ts";
import { shippingAlone } from "./shipping-lock.ts";
import { type Destination, readTracking, type StudyTrackingFile, writeTracking } from "./tracking-file.ts";

/** The tag by which a run is found again; the server chooses run ids and cannot be asked for ours. */
export const RUN_KEY = "exp.run_key";

export interface StudySite extends Destination {
  /** Of the experiment. */
  readonly folder: string;
  readonly client: MlflowClient;
  /** Of every call. */
  readonly call: { readonly signal: AbortSignal };
  describe(): Promise<StudyDescription>;
  /** The study's own run, found or created, and set to RUNNING. */
  parent(): Promise<ParentRun>;
  /** Whether this process has set it to RUNNING. */
  parentIsOpen(): boolean;
  /** The parent is told to have ended: whoever asks for it again opens it again. */
  parentEnded(): void;
  /** Told after points were stored. */
  readonly onPoints: (count: number) => void;
}

export interface ParentRun {
  readonly experimentId: string;
  readonly runId: string;
}

export interface SiteOptions extends Pick<StudySite, "folder" | "experiment" | "call"> {
  readonly onPoints?: (count: number) => void;
  readonly client: Pick<MlflowClientOptions, "trackingUri" | "env" | "fetch" | "retry">;
}

export function studyKey(experiment: string): string {
  return shortHash(`study\n${experiment}`);
}

export function trialKey(experiment: string, trial: string): string {
  return shortHash(`trial\n${experiment}\n${trial}`);
}

/** @throws MlflowConfigError when the address is none that can be used */
export function createSite({ client: clientOptions, onPoints = () => undefined, ...study }: SiteOptions): StudySite {
  // Cut values are complete in the artifacts.
  const client = new MlflowClient({ ...clientOptions, longValues: "truncate" });
  const { folder, experiment, call } = study;
  const to: Destination = { trackingUri: client.http.baseUrl, experiment };
  let description: Promise<StudyDescription> | undefined;
  let found: Promise<ParentRun> | undefined;
  let isOpen = false;

  const describe = () => {
    description ??= describeStudy(folder, experiment);
    return description;
  };

  async function findParent(): Promise<ParentRun> {
    const { title, startTime, tags, sharedTags } = await describe();
    const { experimentId } = await client.getOrCreateExperiment(experiment, call);
    const run = await client.createRun(experimentId, {
      ...call,
      runName: title,
      ...(startTime === undefined ? {} : { startTime }),
      tags: { ...sharedTags, ...tags, "merclab.experiment": experiment },
      uniqueTag: { key: RUN_KEY, value: studyKey(experiment) },
    });
    const { runId, status } = run.info;
    if (status !== "RUNNING") {
      await client.updateRun(runId, { ...call, status: "RUNNING" });
    }
    isOpen = true;
    const noted = readTracking<StudyTrackingFile>(folder, to);
    if (noted?.ended !== undefined) {
      const { ended: _, ...open } = noted; // should this process be killed before it ends the run again
      await writeTracking(folder, open);
    }
    return { experimentId, runId };
  }

  return {
    ...to,
    folder,
    call,
    client,
    onPoints,
    describe,
    parent() {
      found ??= shippingAlone(folder, to, call.signal, findParent).catch((error: unknown) => {
        found = undefined;
        throw error;
      });
      return found;
    },
    parentIsOpen: () => isOpen,
    parentEnded() {
      found = undefined;
      description = undefined;
      isOpen = false;
    },
  };
}
