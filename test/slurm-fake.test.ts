// A study on Slurm, without Slurm: the commands are those of a small script.
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createWorkplace } from "./support/cli.ts";
import { createFakeSlurm } from "./support/fake-slurm.ts";
import { goThrough, trainHere } from "./support/slurm-acceptance.ts";

const [place, here] = [createWorkplace(), createWorkplace()];
afterAll(() => {
  place.remove();
  here.remove();
});

test("array of eight, two at a time; one cancelled, one preempted, one out of time: the table is the local one", async () => {
  const slurm = createFakeSlurm(join(place.folder, "slurm"));
  const ended = await trainHere(here);
  await goThrough(
    place,
    {
      environment: slurm.environment,
      launcher: [],
      announceEnd: (task) => slurm.call("scancel", "--batch", "--signal=USR2", task),
      preempt: (task) => slurm.call("preempt", task),
    },
    { place: here, ended },
  );
  expect(place.processes().filter((line) => line.includes("trial run"))).toEqual([]);
}, 400_000);
