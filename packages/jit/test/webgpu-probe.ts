// Run in a process of its own: ends well where a graph runs on a WebGPU adapter.
import { add, scalar, setBackend } from "@tensorflow/tfjs-core";
import { HOST_BACKEND, hostBackend, jit } from "../src/index.ts";

hostBackend();
await setBackend(HOST_BACKEND);
const double = jit((x: ReturnType<typeof scalar>) => add(x, x), { device: "webgpu" });
const [value] = (await double(scalar(1))).dataSync();
await double.dispose();
process.exitCode = value === 2 ? 0 : 1;
