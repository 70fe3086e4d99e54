// Whether tests can run on WebGPU here: on a GPU, or else on SwiftShader, the software adapter that chromium brings.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/**
 * Tries in a process of its own, since a driver may end its process. Where SwiftShader is needed, this process gets
 * the variable that names it, so call this before ONNX Runtime is first used on WebGPU.
 */
export function findAdapter(): boolean {
  if (works(process.env)) {
    return true;
  }
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SWIFTSHADER)) {
    if (works({ ...process.env, VK_ICD_FILENAMES: SWIFTSHADER })) {
      process.env.VK_ICD_FILENAMES = SWIFTSHADER;
      return true;
    }
  }
  return false;
}

function works(env: NodeJS.ProcessEnv): boolean {
  const probe = fileURLToPath(new URL("webgpu-probe.ts", import.meta.url));
  return (
    spawnSync(process.execPath, ["--import", "tsx", probe], { env, stdio: "ignore", timeout: 60_000 }).status === 0
  );
}
