export { JitError, type JitErrorCode } from "./errors.ts";
export { ONNX_OPSET } from "./graph/onnx.ts";
export { HOST_KERNELS } from "./host-kernels/index.ts";
export { fromHost, type HostDtype, type HostElements, HostValue, hostValue } from "./host-value.ts";
export { type JitOptions, type Jitted, jit } from "./jit.ts";
export { RULES } from "./rules/index.ts";
export { HOST_BACKEND, hostBackend } from "./session/host-backend.ts";
export type { ProgramReport } from "./session/report.ts";
export { releaseIdleSessions } from "./session/sessions.ts";
