// Puts the fake Slurm's commands into a folder for PATH.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const SCRIPT = resolve(import.meta.dirname, "fake-slurm.mjs");
const COMMANDS = ["sbatch", "squeue", "sacct", "scontrol", "scancel"] as const;

export interface FakeSlurm {
  /** Environment with the commands on PATH. */
  readonly environment: NodeJS.ProcessEnv;
  /** State folder. */
  readonly folder: string;
  /** Calls one of its commands, or `preempt` or `oom`. */
  call(command: string, ...args: string[]): string;
}

/** @param folder to be made */
export function createFakeSlurm(folder: string, without: readonly string[] = []): FakeSlurm {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  for (const command of COMMANDS.filter((each) => !without.includes(each))) {
    const file = join(bin, command);
    writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${SCRIPT}' ${command} "$@"\n`);
    chmodSync(file, 0o755);
  }
  const state = join(folder, "state");
  const environment = { FAKE_SLURM: state, PATH: `${bin}:${process.env.PATH}` };
  return {
    environment,
    folder: state,
    call: (command, ...args) =>
      execFileSync(process.execPath, [SCRIPT, command, ...args], {
        encoding: "utf8",
        env: { ...process.env, ...environment },
      }),
  };
}
