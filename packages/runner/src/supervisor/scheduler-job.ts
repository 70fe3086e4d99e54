// The scheduler's job that this process is, read from what it sets in the environment.
export interface SchedulerJob {
  readonly scheduler: "Slurm" | "Kubernetes";
  /** "12_3" for task 3 of array 12. */
  readonly id: string;
  /** How often it was started again. */
  readonly restart: number;
  /** What `scontrol requeue` calls it, where Slurm runs it. */
  readonly slurmId?: string;
  /** When the scheduler ends it, in Unix milliseconds, where it says so. */
  readonly endsAt?: number;
}

/** @returns undefined where no scheduler runs this process */
export function schedulerJob(environment: NodeJS.ProcessEnv): SchedulerJob | undefined {
  const { SLURM_JOB_ID: job, SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task } = environment;
  if (job !== undefined) {
    const endsAt = 1000 * Number(environment.SLURM_JOB_END_TIME);
    return {
      scheduler: "Slurm",
      id: array === undefined || task === undefined ? job : `${array}_${task}`,
      restart: Number(environment.SLURM_RESTART_COUNT ?? 0),
      slurmId: job,
      ...(endsAt > 0 ? { endsAt } : {}),
    };
  }
  const { JOB_COMPLETION_INDEX: index, HOSTNAME: pod } = environment;
  return index === undefined ? undefined : { scheduler: "Kubernetes", id: `${index} (${pod})`, restart: 0 };
}

/** Index of this process in its array; undefined outside of arrays. */
export function arrayIndex(environment: NodeJS.ProcessEnv): string | undefined {
  return environment.SLURM_ARRAY_TASK_ID ?? environment.JOB_COMPLETION_INDEX;
}
