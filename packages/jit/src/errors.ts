// What can go wrong in tracing, compiling and running, by code.

export type JitErrorCode =
  | "read" // the function read a tensor's values while it was traced
  | "unsupported-kernel" // no rule, or none for these shapes and dtypes
  | "argument" // an argument or result is no tree of tensors, or of a dtype that cannot be passed
  | "capture" // the function closes over something that may change
  | "nested" // a trace within a trace
  | "device" // there is no such device on this machine
  | "compile" // ONNX Runtime refused the graph
  | "memory" // the device has no room for a value of the graph
  | "run" // ONNX Runtime failed while running it
  | "diverged" // on a GPU: trained weights became NaN or infinite
  | "disposed"; // used after dispose()

export class JitError extends Error {
  readonly code: JitErrorCode;
  /** `file:line:column` of the traced function's code that led here, where it is known. */
  readonly where: string | undefined;

  constructor(code: JitErrorCode, message: string, details: { where?: string | undefined; cause?: unknown } = {}) {
    super(
      details.where === undefined ? message : `${message} (at ${details.where})`,
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.name = "JitError";
    this.code = code;
    this.where = details.where;
  }
}
