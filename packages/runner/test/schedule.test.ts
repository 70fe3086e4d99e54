// How many trials at a time, and on how many threads each.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Load, planSchedule, type Schedule, trialMemory, type Wishes } from "../src/index.ts";
import { createRegistry, engine, errorOf } from "./support.ts";
import { trialSpec } from "./tracking-study.ts";

const GB = 1e9;
const ROOMY = 1000 * GB;
const registry = createRegistry([
  engine({ name: "many", threads: "many" }),
  engine({ name: "one", threads: "one", memory: { baseBytes: 0.5 * GB, bytesPerParameter: 20 } }),
]);

function trials(count: number, on: "many" | "one" = "many", total = 1000) {
  const { config } = trialSpec(0);
  const planned = { config: { ...config, engine: { name: on, options: {} } }, parameters: { total, trainable: total } };
  return Array.from({ length: count }, () => planned);
}

const plan = (of: ReturnType<typeof trials>, cores: number, wishes: Wishes = {}, availableBytes = ROOMY) =>
  planSchedule(of, wishes, registry, { cores, availableBytes });

/** Lets trials start while there is room, and end in the order that `pick` says; tells the threads of each start. */
function play(
  of: ReturnType<typeof trials>,
  { jobs, threadsFor }: Schedule,
  pick: (running: number) => number = () => 0,
) {
  const running: number[] = [];
  const given: number[] = [];
  const loads: Load[] = [];
  const load = (waiting: number): Load => {
    const now = { coresInUse: running.reduce((sum, each) => sum + each, 0), running: running.length, waiting };
    loads.push(now);
    return now;
  };
  of.forEach((trial, i) => {
    if (running.length === jobs) {
      running.splice(pick(running.length), 1);
    }
    const threads = threadsFor(trial, load(of.length - i));
    running.push(threads);
    given.push(threads);
  });
  load(0);
  return { given, mostBusy: Math.max(...loads.map(({ coresInUse }) => coresInUse)), running };
}

describe("threads", () => {
  test.each<[trials: number, cores: number, jobs: number, given: number[]]>([
    [1, 1, 1, [1]],
    [1, 2, 1, [2]],
    [2, 2, 2, [1, 1]],
    [3, 2, 2, [1, 1, 1]],
    [1, 16, 1, [16]],
    [3, 16, 3, [5, 5, 6]],
    [5, 16, 5, [3, 3, 3, 3, 4]],
    [20, 16, 16, Array.from({ length: 20 }, () => 1)],
  ])("%i trials on %i cores: %i at a time", (count, cores, jobs, given) => {
    const schedule = plan(trials(count), cores);
    expect(schedule.jobs).toBe(jobs);
    expect(schedule.notes).toEqual([]);
    expect(play(trials(count), schedule).given).toEqual(given);
  });

  test("never keep more threads busy than there are cores, and leave no core idle where trials can use it", () => {
    const seed = fc.array(fc.nat(), { minLength: 1 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 64 }), seed, (count, cores, order) => {
        const schedule = plan(trials(count), cores);
        let ended = 0;
        const { given, mostBusy, running } = play(
          trials(count),
          schedule,
          (room) => (order[ended++ % order.length] ?? 0) % room,
        );
        expect(mostBusy).toBeLessThanOrEqual(cores);
        expect(Math.min(...given)).toBeGreaterThanOrEqual(1);
        expect(running.reduce((sum, each) => sum + each, 0)).toBe(cores);
      }),
    );
  });

  test("are those that were asked for, and fewer trials run then", () => {
    const schedule = plan(trials(9), 8, { threads: 3 });
    expect(schedule).toMatchObject({ jobs: 2, notes: [] });
    expect(new Set(play(trials(9), schedule).given)).toEqual(new Set([3]));
    expect(plan(trials(9), 2, { threads: 1 }).jobs).toBe(2);
  });

  test("use the cores that few jobs leave", () => {
    const schedule = plan(trials(9), 8, { jobs: 2 });
    expect(schedule).toMatchObject({ jobs: 2, notes: [] });
    expect(new Set(play(trials(9), schedule).given)).toEqual(new Set([4]));
  });

  test("are one for engines that use one; asking for more is refused, unless another engine has a use for them", async () => {
    const schedule = plan(trials(1, "one"), 8);
    expect(play(trials(1, "one"), schedule).given).toEqual([1]);
    expect(await errorOf(() => plan(trials(3, "one"), 8, { threads: 4 }))).toBe(
      "config | command line: --threads 4 | engine one runs a trial on one thread, not on 4 | " +
        "Leave --threads out: trials run side by side, one per core; or choose an engine that uses several.",
    );
    expect(plan(trials(3, "one"), 8, { threads: 1 }).jobs).toBe(3);
    const mixed = [...trials(2, "one"), ...trials(1, "many")];
    expect(play(mixed, plan(mixed, 8, { threads: 4 })).given).toEqual([1, 1, 4]);
  });

  test("and jobs beyond the cores are kept as asked for, and their cost is said", () => {
    expect(plan(trials(9), 2, { jobs: 4 })).toMatchObject({
      jobs: 4,
      notes: ["--jobs 4 keeps 4 threads busy on 2 cores: trials will hold one another up."],
    });
    expect(play(trials(9), plan(trials(9), 2, { jobs: 4 })).given.every((each) => each === 1)).toBe(true);
    expect(plan(trials(9), 4, { jobs: 3, threads: 2 })).toMatchObject({
      jobs: 3,
      notes: ["--jobs 3 --threads 2 keeps 6 threads busy on 4 cores: trials will hold one another up."],
    });
    expect(plan(trials(9), 2, { threads: 3 })).toMatchObject({
      jobs: 1,
      notes: ["--threads 3 keeps 3 threads busy on 2 cores: trials will hold one another up."],
    });
    expect(plan(trials(2), 2, { jobs: 4 })).toMatchObject({ jobs: 2, notes: [] });
  });
});

describe("memory", () => {
  test("is the engine's base and what each parameter adds", () => {
    expect(trialMemory(trials(1, "many", 50e6)[0] as never, registry)).toBe(6 * GB);
    expect(trialMemory(trials(1, "one", 50e6)[0] as never, registry)).toBe(1.5 * GB);
  });

  test("lowers the jobs, and says so; the largest trial decides; the cores that are left become threads", () => {
    const some = [...trials(2), ...trials(1, "many", 50e6), ...trials(3)];
    const schedule = plan(some, 8, {}, 16 * GB);
    expect(schedule).toMatchObject({
      jobs: 2,
      notes: [
        "Memory allows 2 at a time where there is work for 6: a trial takes about 6.0 GB, and 16.0 GB of memory are available.",
      ],
    });
    expect(new Set(play(some, schedule).given)).toEqual(new Set([4]));
    expect(plan(some, 8, {}, 64 * GB).notes).toEqual([]);
    expect(plan(some, 8, {}, 1 * GB).jobs).toBe(1);
  });

  test("does not overrule what was asked for, but is warned of", () => {
    expect(plan(trials(9, "many", 50e6), 8, { jobs: 4 }, 16 * GB)).toMatchObject({
      jobs: 4,
      notes: [
        "--jobs 4 may take more memory than there is: a trial takes about 6.0 GB, and 16.0 GB of memory are available.",
      ],
    });
  });

  test("jobs grow neither with parameters nor by less memory", () => {
    const size = fc.integer({ min: 1, max: 1e9 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), size, size, fc.nat(1e12), (count, total, more, bytes) => {
        const { jobs } = plan(trials(count, "many", total), 64, {}, bytes);
        expect(jobs).toBeGreaterThanOrEqual(1);
        expect(jobs).toBeLessThanOrEqual(count);
        expect(plan(trials(count, "many", total + more), 64, {}, bytes).jobs).toBeLessThanOrEqual(jobs);
        expect(plan(trials(count, "many", total), 64, {}, bytes / 2).jobs).toBeLessThanOrEqual(jobs);
      }),
    );
  });
});

test("nothing to run is a schedule as well, on this machine too", () => {
  expect(plan([], 4)).toMatchObject({ jobs: 1, notes: [] });
  expect(planSchedule(trials(1), {}, registry)).toMatchObject({ jobs: 1 });
});
