// Why a trial has no result: from what its worker said, how the process ended, and what the system counted meanwhile;
// and what follows from it.
import type { FailureCause } from "../store/trial-files.ts";
import type { WorkerEnd } from "./workers.ts";

/** Everything that is known of a worker that left no result. */
export interface Evidence extends Pick<WorkerEnd, "exit" | "failure" | "residentShare"> {
  /** What the process printed last. */
  readonly printed: string;
  /** Whether the system killed a process of this control group for want of memory since the trial began. */
  readonly systemKilled: boolean;
}

export interface Failure {
  readonly cause: FailureCause;
  /** One line. */
  readonly message: string;
  readonly hint: string | undefined;
}

/** Memory of all workers, as a share of what they may have, from which a kill without a trace is put down to it. */
const NEARLY_ALL = 0.9;

const HEAP = /JavaScript heap out of memory/;
/** As Node, ONNX Runtime, CUDA, Vulkan and WebGPU say it. */
const OUT_OF_MEMORY = [
  /Array buffer allocation failed/i,
  /(?:out of|not enough|insufficient) (?:\w+ )?memory/i,
  /OUT_OF_(?:DEVICE_|HOST_)?MEMORY/i,
  /(?:failed|unable|could not|cannot) (?:to )?allocate (?:\w+ )*memory/i,
  /CU(?:DA|BLAS|DNN)\w*_ALLOC(?:ATION)?_FAILED/,
  /std::bad_alloc/,
];
const LESS_MEMORY = "Try a smaller --jobs, a smaller trainer.batchSize or encoder.dim, or a machine with more memory.";
const NO_SPACE = /\b(ENOSPC|EDQUOT|EROFS|EFBIG|EIO)\b/;

/** @param log where a user can read what the process printed */
export function classifyFailure(evidence: Evidence, log: string): Failure {
  const { exit, failure, printed } = evidence;
  const seeLog = `See ${log}`;
  if (failure !== undefined) {
    const where = failure.where === undefined ? "" : ` (${failure.where})`;
    const cause = causeOfError(failure);
    const hint = failure.hint ?? (cause === "memory" ? LESS_MEMORY : seeLog);
    return { cause, message: `${failure.message}${where}`, hint };
  }
  const how = exit === undefined ? "the worker ended the trial" : `the worker ended with ${exit}`;
  const bySignal = exit?.startsWith("SIG") === true;
  if (bySignal && HEAP.test(printed)) {
    return {
      cause: "heap",
      message: "out of memory: the trial needs more JavaScript heap than its process may have",
      hint: "Give more with NODE_OPTIONS=--max-old-space-size=MEGABYTES, or use fewer plain arrays and objects.",
    };
  }
  if (exit === "SIGKILL" && (evidence.systemKilled || (evidence.residentShare ?? 0) > NEARLY_ALL)) {
    const certain = evidence.systemKilled ? "the system ended it" : "it was ended when nearly all memory was in use";
    return {
      cause: "memory",
      message: `out of memory: ${certain}`,
      hint: LESS_MEMORY,
    };
  }
  if (bySignal) {
    const native = OUT_OF_MEMORY.some((pattern) => pattern.test(printed));
    return {
      cause: native ? "memory" : "killed",
      message: `${native ? "out of memory: " : ""}${how} and left no result`,
      hint: native ? LESS_MEMORY : exit === "SIGKILL" ? "Somebody killed it; the same command goes on." : seeLog,
    };
  }
  return { cause: "error", message: `${how} and left no result`, hint: seeLog };
}

function causeOfError({ code, message }: NonNullable<WorkerEnd["failure"]>): FailureCause {
  if (code === "storage" || NO_SPACE.test(message)) {
    return "storage";
  }
  if (OUT_OF_MEMORY.some((pattern) => pattern.test(message))) {
    return "memory";
  }
  if (code === "diverged") {
    return "diverged";
  }
  // Data that are not there, or an engine that does not start, may be another day.
  return code === "data" || code === "engine" ? "machine" : "error";
}

/** Whether the trial would fail in the same way again, since nothing that it is made of has changed. */
export function failsAgain(cause: FailureCause | undefined): boolean {
  return cause === "error" || cause === "diverged";
}

export function isMemory(cause: FailureCause | undefined): boolean {
  return cause === "heap" || cause === "memory";
}

/**
 * What a run does with a trial that failed.
 *
 * @param earlier causes of this trial's failures in this run
 */
export function nextTry(cause: FailureCause, earlier: readonly FailureCause[], wasAlone: boolean) {
  if (cause === "killed") {
    return earlier.includes("killed") ? "none" : "again";
  }
  return isMemory(cause) && !wasAlone ? "alone" : "none";
}
