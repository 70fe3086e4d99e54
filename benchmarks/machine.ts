// Where and with what it was measured.
import { spawnSync } from "node:child_process";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { MerclabError } from "@merclab/core";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
  };
}

/** Default: two threads, as on a small machine, or what there is. */
export function defaultThreads(): number {
  return Math.min(2, availableParallelism());
}

export interface FoundPython {
  readonly python: string;
  readonly hasTorch: boolean;
}

/**
 * The Python for the reference: the one that was named, else `MERCLAB_PYTHON`, else python3.
 *
 * @throws MerclabError `config` when a Python that was named does not run
 */
export function findPython(given: string | undefined, environment = process.env): FoundPython {
  const named = given ?? environment.MERCLAB_PYTHON;
  const python = named === undefined || named === "" ? "python3" : named;
  const { status, error } = spawnSync(python, ["-c", "import torch"], { stdio: "ignore" });
  if (error !== undefined && python === named) {
    throw new MerclabError("config", `Python "${python}" does not run (${error.message})`, {
      where: given === undefined ? "environment variable MERCLAB_PYTHON" : "--python",
      hint: "Give the path of a Python that has torch, or leave it out to measure our side alone.",
    });
  }
  return { python, hasTorch: status === 0 };
}
