// Sending many entries in one request where one of them may be refused: the request is halved until what is refused
// stands alone. A refused request may have been carried out in part, so sending must be repeatable.
import { MlflowApiError, MlflowLimitError } from "mlflow-js-client";

/**
 * @param send all of them, in order
 * @param refuse told of an entry that is refused by itself
 * @throws what is no refusal of a record, such as a network error
 */
export async function sendEach<T>(
  entries: readonly T[],
  send: (entries: readonly T[]) => Promise<void>,
  refuse: (entry: T, reason: MlflowApiError | MlflowLimitError) => Promise<void>,
): Promise<void> {
  const [first] = entries;
  if (first === undefined) {
    return;
  }
  try {
    await send(entries);
  } catch (error) {
    if (!isRecordRefusal(error)) {
      throw error;
    }
    if (entries.length === 1) {
      await refuse(first, error);
      return;
    }
    const half = Math.ceil(entries.length / 2);
    await sendEach(entries.slice(0, half), send, refuse);
    await sendEach(entries.slice(half), send, refuse);
  }
}

/** 400 and 422: the content; 413: too much of it. Not 404 or 409, which speak of the run as a whole. */
const ABOUT_CONTENT = [400, 413, 422];

export function isRecordRefusal(error: unknown): error is MlflowApiError | MlflowLimitError {
  return (
    error instanceof MlflowLimitError ||
    (error instanceof MlflowApiError && !error.retryable && ABOUT_CONTENT.includes(error.httpStatus))
  );
}
