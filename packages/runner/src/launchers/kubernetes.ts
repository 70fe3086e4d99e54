// Kubernetes: the manifest of an Indexed Job, one index a trial. It is rendered, and applied by the user.

import { stringify } from "yaml";
import { z } from "zod";
import { TRIAL_EXIT } from "../supervisor/exit-codes.ts";
import { trialArguments } from "./job-script.ts";
import { defineLauncher, type JobTemplate, type Launcher } from "./launcher.ts";

/** Kubernetes allows 100 000 indices with up to 10 000 at a time. */
const MAX_COMPLETIONS = 100_000;
const CONTAINER = "trial";

const options = z.strictObject({
  image: z.string().min(1),
  /** Claim of a volume that all pods share (ReadWriteMany), with runs and data. */
  claim: z.string().min(1),
  /** Where the volume is mounted; study and data must lie below it, under the same paths here and there. */
  mount: z.string().startsWith("/"),
  namespace: z.string().optional(),
  /** How the image starts exp. */
  command: z.array(z.string()).min(1).default(["exp"]),
  /** Folder to start in; that of the command here when absent. */
  workingDir: z.string().startsWith("/").optional(),
  /** Pods that run at a time; all when absent. */
  throttle: z.int().positive().optional(),
  cpus: z.int().positive().default(1),
  mem: z
    .string()
    .regex(/^\d+(\.\d+)?([KMGT]i?)?$/, 'expected memory such as "8Gi"')
    .optional(),
  gpus: z.int().nonnegative().default(0),
  /** Seconds between the signal and the end of a pod. */
  grace: z.int().positive().default(180),
  /** Retries of an index, after failures that another node may not have. */
  retries: z.int().nonnegative().default(3),
  nodeSelector: z.record(z.string(), z.string()).optional(),
});

export const kubernetesLauncher = defineLauncher({
  name: "kubernetes",
  options,
  create: (given): Launcher => ({
    extension: "yaml",
    maxArraySize: async () => MAX_COMPLETIONS,
    render: (template) => stringify(manifest(template, given)),
  }),
});

function manifest(template: JobTemplate, given: z.output<typeof options>) {
  const { array, command } = template;
  const limits = {
    cpu: String(given.cpus),
    ...(given.mem === undefined ? {} : { memory: given.mem }),
    ...(given.gpus === 0 ? {} : { "nvidia.com/gpu": given.gpus }),
  };
  const onExit = (action: string, ...values: number[]) => ({
    action,
    onExitCodes: { containerName: CONTAINER, operator: "In", values },
  });
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: array.name, ...(given.namespace === undefined ? {} : { namespace: given.namespace }) },
    spec: {
      completionMode: "Indexed",
      completions: array.trials.length,
      parallelism: Math.min(array.trials.length, given.throttle ?? array.trials.length),
      backoffLimitPerIndex: given.retries,
      podFailurePolicy: {
        rules: [
          // Evicted or preempted, or paused with a checkpoint: neither is a failure, and another pod goes on.
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          onExit("Ignore", TRIAL_EXIT.paused),
          onExit("FailIndex", TRIAL_EXIT.failed, TRIAL_EXIT.outOfMemory, TRIAL_EXIT.mismatch),
          onExit("Count", TRIAL_EXIT.infrastructure),
        ],
      },
      template: {
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: given.grace,
          ...(given.nodeSelector === undefined ? {} : { nodeSelector: given.nodeSelector }),
          containers: [
            {
              name: CONTAINER,
              image: given.image,
              command: [...given.command, ...trialArguments(template)],
              workingDir: given.workingDir ?? command.cwd,
              resources: { requests: limits, limits },
              volumeMounts: [{ name: "shared", mountPath: given.mount }],
            },
          ],
          volumes: [{ name: "shared", persistentVolumeClaim: { claimName: given.claim } }],
        },
      },
    },
  };
}
