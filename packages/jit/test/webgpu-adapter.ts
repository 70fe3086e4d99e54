// Whether tests can run on WebGPU here: on a GPU, or else on SwiftShader, the software adapter that chromium brings.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

export interface Adapter {
  readonly found: boolean;
  /** What `VK_ICD_FILENAMES` must name in a process that uses it, before ONNX Runtime is first used on WebGPU. */
  readonly driver?: string;
}

/** Tries in a process of its own, since a driver may end its process. */
export function findAdapter(): Adapter {
  if (works(process.env)) {
    return { found: true };
  }
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SWIFTSHADER)) {
    return { found: works({ ...process.env, VK_ICD_FILENAMES: SWIFTSHADER }), driver: SWIFTSHADER };
  }
  return { found: false };
}

/** Finds an adapter and makes this process use it. */
export function useAdapter(): boolean {
  const { found, driver } = findAdapter();
  if (found && driver !== undefined) {
    process.env.VK_ICD_FILENAMES = driver;
  }
  return found;
}

function works(env: NodeJS.ProcessEnv): boolean {
  const probe = fileURLToPath(new URL("webgpu-probe.ts", import.meta.url));
  return (
    spawnSync(process.execPath, ["--import", "tsx", probe], { env, stdio: "ignore", timeout: 60_000 }).status === 0
  );
}
