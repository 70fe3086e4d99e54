// On WebGPU: the tests of the rules again, with values and gradients, and what is said about a run.
import { describe } from "vitest";
import { testOn } from "./support.ts";
import { findAdapter } from "./webgpu-adapter.ts";

const adapter = findAdapter();
testOn("webgpu", 1e-4);
describe.skipIf(!adapter)("on webgpu", async () => {
  for (const family of (process.env.FAM ?? "elementwise").split(",")) {
    await import(`./rules-${family}.test.ts`);
  }
});
