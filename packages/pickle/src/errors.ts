// The one error of this package. Anything else that is thrown is a bug.

export type PickleErrorCode =
  | "refused" // the pickle names something that is not data
  | "damaged" // cut off, or not a pickle at all
  | "unsupported" // data, but of a kind that has no counterpart here
  | "limit"; // larger than this process can hold

export class PickleError extends Error {
  readonly code: PickleErrorCode;
  /** The global that was refused, e.g. `os.system`. */
  readonly global: string | undefined;
  /** Byte of the pickle at which reading ended. */
  readonly position: number | undefined;

  constructor(
    code: PickleErrorCode,
    message: string,
    details: {
      readonly global?: string | undefined;
      readonly position?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "PickleError";
    this.code = code;
    this.global = details.global;
    this.position = details.position;
  }
}
