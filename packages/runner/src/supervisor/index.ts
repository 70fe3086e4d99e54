// What `exp trial run` needs: loaded without the trainer and its libraries, since one of these runs beside every trial.
export { readArrayFolders } from "../launchers/array-file.ts";
export { exitOfError, TRIAL_EXIT } from "./exit-codes.ts";
export { arrayIndex, type SchedulerJob, schedulerJob } from "./scheduler-job.ts";
export { type PauseReason, type SupervisorEnd, superviseTrial } from "./supervise.ts";
