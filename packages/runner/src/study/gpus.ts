// The GPUs of this machine, divided among trials: each trial gets CUDA_VISIBLE_DEVICES of its own, with the names that
// the system or the user gave, never renumbered.
import { execFileSync } from "node:child_process";
import { MerclabError } from "@merclab/core";

/** Takes turns on shares of GPUs. */
export interface GpuPool {
  /** Trials at a time. */
  readonly size: number;
  /** Waits for a share: the value of CUDA_VISIBLE_DEVICES, or undefined where that variable decides nothing. */
  take(): Promise<string | undefined>;
  give(share: string | undefined): void;
}

/**
 * Names of the GPUs that may be used: those of CUDA_VISIBLE_DEVICES where it is set, else all that nvidia-smi lists, a
 * partitioned one (MIG) by its parts.
 */
export function findGpus(environment: NodeJS.ProcessEnv = process.env): string[] {
  const visible = environment.CUDA_VISIBLE_DEVICES;
  if (visible !== undefined) {
    return parseVisible(visible);
  }
  try {
    return parseList(execFileSync("nvidia-smi", ["-L"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    return []; // no NVIDIA driver
  }
}

/** Numbers, UUIDs or names of MIG parts; as CUDA does, nothing from the first one on that is negative. */
export function parseVisible(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const end = names.findIndex((name) => name === "" || name.startsWith("-") || name === "NoDevFiles");
  return end < 0 ? names : names.slice(0, end);
}

/** @param text what `nvidia-smi -L` prints */
export function parseList(text: string): string[] {
  const gpus: { readonly own: string; readonly parts: string[] }[] = [];
  for (const line of text.split("\n")) {
    const [, uuid] = /UUID: ([\w/-]+)/.exec(line) ?? [];
    if (uuid !== undefined && /^GPU \d+:/.test(line)) {
      gpus.push({ own: uuid, parts: [] });
    } else if (uuid !== undefined && /^\s+MIG /.test(line)) {
      gpus.at(-1)?.parts.push(uuid);
    }
  }
  return gpus.flatMap(({ own, parts }) => (parts.length > 0 ? parts : [own]));
}

/**
 * @param gpus names; undefined for the one adapter that a system hands out without asking
 * @param perTrial 2: two GPUs for each trial; 0.5: two trials on each GPU
 * @throws MerclabError `config` when no trial can have as many
 */
export function createGpuPool(gpus: readonly string[] | undefined, perTrial: number): GpuPool {
  const shares = perTrial < 1 ? shared(gpus ?? [undefined], Math.floor(1 / perTrial)) : grouped(gpus, perTrial);
  if (shares.length === 0) {
    const found = gpus === undefined ? "this engine uses the system's default adapter" : `there are ${gpus.length}`;
    throw new MerclabError("config", `a trial cannot have ${perTrial} GPUs: ${found}`, {
      where: `--gpus-per-trial ${perTrial}`,
      hint: "CUDA_VISIBLE_DEVICES, where it is set, says which GPUs there are; else nvidia-smi -L does.",
    });
  }
  const free = [...shares];
  const waiting: ((share: string | undefined) => void)[] = [];
  return {
    size: shares.length,
    take: () =>
      free.length > 0
        ? Promise.resolve(free.shift())
        : new Promise((resolve) => waiting.push((share) => resolve(share))),
    give(share) {
      const next = waiting.shift();
      if (next === undefined) {
        free.push(share);
      } else {
        next(share);
      }
    },
  };
}

/** One round over all GPUs, then the next: the first trials have one each. */
function shared(gpus: readonly (string | undefined)[], trials: number): (string | undefined)[] {
  return Array.from({ length: trials }, () => gpus).flat();
}

function grouped(gpus: readonly string[] | undefined, perTrial: number): (string | undefined)[] {
  if (gpus === undefined) {
    return perTrial === 1 ? [undefined] : [];
  }
  const groups = Math.floor(gpus.length / perTrial);
  return Array.from({ length: groups }, (_, i) => gpus.slice(i * perTrial, (i + 1) * perTrial).join(","));
}
