// Whether Slurm can be used from this machine, for `exp doctor`.
import { call } from "./call.ts";

export interface SlurmFinding {
  readonly what: string;
  readonly state: "works" | "absent" | "broken";
  readonly found: string;
  readonly mend?: string;
}

/** @returns nothing where sbatch is not installed */
export async function checkSlurm(): Promise<SlurmFinding[]> {
  const version = await answer("sbatch", ["--version"]);
  if ("missing" in version) {
    return [];
  }
  if ("error" in version) {
    return [{ what: "slurm", state: "broken", found: version.error, mend: "ask the administrators of the cluster" }];
  }
  const [partitions, config, accounting] = await Promise.all([
    answer("sinfo", ["--noheader", "--format=%P %l"]),
    answer("scontrol", ["show", "config"]),
    answer("sacct", ["--noheader", "--starttime=now-1hours", "--format=JobID"]),
  ]);
  if (!("text" in partitions)) {
    const found = "error" in partitions ? partitions.error : "sinfo is missing";
    return [{ what: "slurm", state: "absent", found: `${version.text}, and ${found}`, mend: "start slurmctld" }];
  }
  const limits = partitions.text.split("\n").map((line) => line.replace(/^(\S+) +(\S+)$/, "$1 (up to $2)"));
  const value = (name: string) =>
    "text" in config ? new RegExp(`^${name}\\s*=\\s*(\\S+)`, "m").exec(config.text)?.[1] : undefined;
  const requeues = value("JobRequeue") !== "0";
  return [
    { what: "slurm", state: "works", found: `${version.text}; partitions ${limits.join(", ")}` },
    "text" in config
      ? {
          what: "slurm requeue",
          state: requeues ? "works" : "absent",
          found: `${requeues ? "by default" : "off by default"}; arrays up to ${value("MaxArraySize") ?? "?"} tasks`,
        }
      : {
          what: "slurm requeue",
          state: "absent",
          found: "scontrol does not answer",
          mend: "set launcher.maxArraySize",
        },
    "text" in accounting
      ? { what: "slurm accounting", state: "works", found: "sacct answers" }
      : {
          what: "slurm accounting",
          state: "absent",
          found: "no sacct: squeue and the trials' folders tell what became of jobs",
        },
  ];
}

type Answer = { readonly text: string } | { readonly error: string } | { readonly missing: true };

async function answer(command: string, args: readonly string[]): Promise<Answer> {
  try {
    return { text: (await call(command, args)).trim() };
  } catch (error) {
    const { message, cause } = error as Error;
    return (cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT"
      ? { missing: true }
      : { error: message.split("\n")[0] ?? "" };
  }
}
