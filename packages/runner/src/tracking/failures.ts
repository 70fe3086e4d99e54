// What a failure means for shipping, and telling the user about it: one line, at most once a minute for each kind.
import {
  MlflowApiError,
  MlflowConfigError,
  MlflowDeletedError,
  MlflowLimitError,
  MlflowNetworkError,
  MlflowProtocolError,
} from "mlflow-js-client";

export type FailureKind = "unreachable" | "unauthorized" | "unwell" | "refused" | "internal";

const MEANING: Readonly<Record<FailureKind, string>> = {
  unreachable: "cannot be reached; trials go on, what they write is sent when it answers",
  unauthorized: "does not accept the credentials; trials go on, nothing is sent until it does",
  unwell: "answers, but not well; trials go on, what they write is sent later",
  refused: "refused something; trials go on, this part stays unsent",
  internal: "is not the trouble: tracking itself failed; trials go on, this part stays unsent",
};

export function failureKind(error: unknown): FailureKind {
  if (error instanceof MlflowNetworkError) {
    return "unreachable";
  }
  if (error instanceof MlflowApiError) {
    if (error.httpStatus === 401 || error.httpStatus === 403) {
      return "unauthorized";
    }
    return error.retryable ? "unwell" : "refused";
  }
  if (error instanceof MlflowProtocolError) {
    return "unwell"; // a login page or a proxy's answer
  }
  if (error instanceof MlflowDeletedError || error instanceof MlflowConfigError || error instanceof MlflowLimitError) {
    return "refused";
  }
  return "internal";
}

/** Whether the same request may succeed later, without anything changing on our side. */
export function mayPass(error: unknown): boolean {
  const kind = failureKind(error);
  return kind !== "refused" && kind !== "internal";
}

/** Tells of failures; repeats within `everyMs` are swallowed, each kind for itself. */
export function createTeller(warn: (message: string) => void, everyMs: number): (error: unknown) => void {
  const toldAt = new Map<FailureKind, number>();
  return (error) => {
    const kind = failureKind(error);
    const now = performance.now();
    if (now - (toldAt.get(kind) ?? Number.NEGATIVE_INFINITY) < everyMs) {
      return;
    }
    toldAt.set(kind, now);
    // The client's messages name the address without credentials and quote no secret of its connection.
    const [detail] = (error instanceof Error ? error.message : String(error)).split("\n");
    warn(`The MLflow server ${MEANING[kind]} (${detail})`);
  };
}
