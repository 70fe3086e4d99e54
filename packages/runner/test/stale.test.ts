// Which stored trials no plan names any more.
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTrialFolder, findStaleTrials, readTrials, removeTrials, type StudyPlan } from "../src/index.ts";
import { writeStudy } from "../src/study/study-file.ts";
import { createBench, SMALL } from "./support.ts";

async function bench() {
  const { folder, plan } = createBench();
  const runsFolder = join(folder, "runs");
  const study = (rank: number, ...overrides: string[]) =>
    plan(
      `datasets: [synthetic]${SMALL}  fusion.lmam.rank: ${rank}\nmatrix: { fusion: [sdt, lmam] }\nseeds: 2`,
      ...overrides,
    );
  const ran = async (planned: StudyPlan) => {
    await writeStudy(runsFolder, planned, { command: "exp run study" });
    await Promise.all(planned.trials.map((spec) => createTrialFolder(runsFolder, spec)));
  };
  const stale = async (planned?: StudyPlan) => {
    const found = await findStaleTrials(runsFolder, "study", await readTrials(runsFolder, "study"), planned);
    return found.map(({ spec }) => `${spec.config.fusion.name} ${spec.seed}`).sort();
  };
  return { runsFolder, study, ran, stale };
}

test("a changed config makes its old trials stale, and leaves those alone that it says nothing of", async () => {
  const { study, ran, stale } = await bench();
  await ran(await study(2));
  expect(await stale()).toEqual([]);
  // Planned, not run: `exp plan` knows already.
  expect(await stale(await study(3))).toEqual(["lmam 0", "lmam 1"]);
  expect(await stale()).toEqual([]);
  await ran(await study(3));
  expect(await stale()).toEqual(["lmam 0", "lmam 1"]);
  // And back again.
  expect(await stale(await study(2))).toEqual(["lmam 0", "lmam 1"]);
  await ran(await study(2));
  expect(await stale()).toEqual(["lmam 0", "lmam 1"]);
});

test("more seeds or fewer make nothing stale", async () => {
  const { study, ran, stale } = await bench();
  await ran(await study(2, "seeds=4"));
  await ran(await study(2, "seeds=1"));
  expect(await stale()).toEqual([]);
  await ran(await study(3, "seeds=1"));
  expect(await stale()).toEqual(["lmam 0", "lmam 1", "lmam 2", "lmam 3"]);
});

test("what other overrides planned stays, until the same overrides plan something else", async () => {
  const { study, ran, stale } = await bench();
  await ran(await study(2));
  await ran(await study(2, "fusion=lmam", "optimizer.lr=0.01"));
  expect(await stale()).toEqual([]);
  await ran(await study(3, "optimizer.lr=0.01", "fusion=lmam"));
  expect(await stale()).toEqual(["lmam 0", "lmam 1"]);
});

test("only what is stale is removed", async () => {
  const { runsFolder, study, ran } = await bench();
  await ran(await study(2));
  await ran(await study(3));
  const stored = await readTrials(runsFolder, "study");
  expect(stored).toHaveLength(6);
  await removeTrials(runsFolder, "study", await findStaleTrials(runsFolder, "study", stored));
  const kept = (await readTrials(runsFolder, "study")).map(({ spec }) => spec.id).sort();
  expect(kept).toEqual((await study(3)).trials.map(({ id }) => id).sort());
});
