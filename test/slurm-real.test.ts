// The same study on a real Slurm: the one that .ci/slurm starts, or another of this host alone whose partition `high`
// preempts the default one. MERCLAB_SLURM=1 says that there must be one.
import { execFileSync } from "node:child_process";
import { hostname } from "node:os";
import { afterAll, expect, test } from "vitest";
import { createWorkplace } from "./support/cli.ts";
import { arraysOf, goThrough, trainHere } from "./support/slurm-acceptance.ts";

const call = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 5000 });

const isThere = process.env.MERCLAB_SLURM === "1" || isOfThisHost();

test.skipIf(!isThere)(
  "Slurm: array of eight, two at a time; one cancelled, one preempted, one out of time: the table is the local one",
  async () => {
    const [place, here] = [createWorkplace(), createWorkplace()];
    afterAll(() => {
      for (const { jobs = [] } of arraysOf(place.folder)) {
        call("scancel", "--quiet", ...jobs);
      }
      place.remove();
      here.remove();
    });
    const ended = await trainHere(here);
    await goThrough(
      place,
      {
        environment: {},
        launcher: ["launcher.time=30"],
        announceEnd: (task) => call("scancel", "--batch", "--signal=USR2", task),
        // Whichever of those that run Slurm chooses.
        preempt: () => call("sbatch", "--partition=high", "--ntasks=1", "--output=/dev/null", "--wrap=sleep 1"),
      },
      { place: here, ended },
    );
    expect(place.processes().filter((line) => line.includes("trial run"))).toEqual([]);
  },
  400_000,
);

function isOfThisHost(): boolean {
  try {
    return call("sinfo", "--noheader", "--partition=high", "--format=%N").trim() === hostname().split(".")[0];
  } catch {
    return false;
  }
}
