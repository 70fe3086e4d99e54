// Before a file of vitest's project `webgpu`: the adapter that was found, and no test where there is none.
import { beforeEach, inject } from "vitest";

const { found, driver } = inject("webgpu");
if (driver !== undefined) {
  process.env.VK_ICD_FILENAMES = driver;
}

beforeEach(({ skip }) => {
  skip(!found, "there is no adapter for WebGPU");
});
