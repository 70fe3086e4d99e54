// The server and the place on it that a study ships to: a client and what every run of the study has in common.
// The parent run is looked up once, by a tag derived from the experiment, hence found again by later processes.
import { MlflowClient, type MlflowClientOptions } from "mlflow-js-client";
import { shortHash } from "./hashes.ts";
import type { Destination } from "./tracking-file.ts";

/** The tag by which a run is found again; the server chooses run ids and cannot be asked for ours. */
export const RUN_KEY = "exp.run_key";

export interface StudySite extends Destination {
  readonly title: string;
  /** On every run of the study. */
  readonly tags: Readonly<Record<string, string>>;
  /** Where each dataset came from, by its name. */
  readonly sources: Readonly<Record<string, string>>;
  readonly client: MlflowClient;
  /** Of every call. */
  readonly call: { readonly signal: AbortSignal };
  /** The study's own run, found or created, and set to RUNNING. */
  parent(): Promise<ParentRun>;
  /** Whether this process has set it to RUNNING. */
  parentIsOpen(): boolean;
}

export interface ParentRun {
  readonly experimentId: string;
  readonly runId: string;
}

export interface SiteOptions extends Pick<StudySite, "title" | "experiment" | "tags" | "sources" | "call"> {
  readonly client: Pick<MlflowClientOptions, "trackingUri" | "env" | "fetch">;
}

/** @throws MlflowConfigError when the address is none that can be used */
export function createSite({ client: clientOptions, ...study }: SiteOptions): StudySite {
  // The queue repeats what failed; cut values are complete in the artifacts.
  const client = new MlflowClient({ ...clientOptions, retry: { attempts: 1 }, longValues: "truncate" });
  const { title, experiment, tags, call } = study;
  const startTime = Date.now();
  let found: ParentRun | undefined;

  async function findParent(): Promise<ParentRun> {
    const { experimentId } = await client.getOrCreateExperiment(experiment, call);
    const run = await client.createRun(experimentId, {
      ...call,
      runName: title,
      startTime,
      tags: { ...tags, "merclab.experiment": experiment },
      uniqueTag: { key: RUN_KEY, value: shortHash(`study\n${experiment}`) },
    });
    const { runId, status } = run.info;
    if (status !== "RUNNING") {
      await client.updateRun(runId, { ...call, status: "RUNNING" });
    }
    return { experimentId, runId };
  }

  return {
    ...study,
    client,
    trackingUri: client.http.baseUrl,
    async parent() {
      found ??= await findParent();
      return found;
    },
    parentIsOpen: () => found !== undefined,
  };
}
