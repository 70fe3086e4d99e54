// Whatever ends a run, the same command goes on, and the numbers are those of a run that nothing disturbed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, filesOf, STUDY, trialsOf, until } from "./support/cli.ts";

const TIMEOUT_MS = 180_000;
/** Enough epochs for a trial to be caught in the middle, two trials at a time. */
const RUN = ["run", "tiny", "trainer.epochs=400", "--jobs", "2", "--checkpoint-every", "0"];

describe("a run that is killed again and again", () => {
  const [place, undisturbed] = [createWorkplace(), createWorkplace()];
  let expected = "";

  beforeAll(async () => {
    const ended = await undisturbed.exp(...RUN);
    expect(ended).toMatchObject({ code: 0 });
    expected = ended.stdout;
  }, TIMEOUT_MS);
  afterAll(() => {
    place.remove();
    undisturbed.remove();
  });

  const running = () =>
    trialsOf(place.folder).find(({ isDone, epochs, state }) => state === "running" && !isDone && epochs > 0);
  const done = () => trialsOf(place.folder).filter(({ isDone }) => isDone);
  const checkpoints = () =>
    trialsOf(place.folder).filter(({ id }) =>
      existsSync(join(place.folder, "runs/tiny/trials", id, "checkpoint.safetensors")),
    );
  const nobodyLeft = () => until(() => place.processes().length === 0, "runner and workers to be gone");

  test(
    "kill -9 of the runner leaves no worker behind",
    async () => {
      const { child, ended } = place.start(...RUN);
      await until(running, "a trial in the middle");
      expect(place.processes().length).toBeGreaterThan(0);
      child.kill("SIGKILL");
      expect((await ended).code).toBe("SIGKILL");
      await nobodyLeft();
      expect(done().length).toBeLessThan(4);
    },
    TIMEOUT_MS,
  );

  test(
    "kill -9 of the whole process group: the next run takes the lock over",
    async () => {
      const pids = trialsOf(place.folder).map(({ pid }) => pid);
      const { child, ended } = place.start(...RUN);
      const trial = await until(() => {
        const found = running();
        return found !== undefined && !pids.includes(found.pid) ? found : undefined;
      }, "a trial of this run in the middle");
      expect(trial.isDone).toBe(false);
      process.kill(-(child.pid ?? Number.NaN), "SIGKILL");
      expect((await ended).code).toBe("SIGKILL");
      await nobodyLeft();
      const lock = JSON.parse(readFileSync(join(place.folder, "runs/tiny/run.lock"), "utf8")) as { pid: number };
      expect(lock.pid).toBe(child.pid);
    },
    TIMEOUT_MS,
  );

  test(
    "Ctrl-C ends with 130, says what is stored, and keeps it",
    async () => {
      const { child, ended } = place.start(...RUN);
      await until(() => done().length > 0 && running(), "one trial done and another in the middle");
      // To every process of the terminal, as a terminal does.
      process.kill(-(child.pid ?? Number.NaN), "SIGINT");
      const { code, stderr, stdout } = await ended;
      expect(code).toBe(130);
      const stored = done().length;
      expect(stored).toBeGreaterThan(0);
      expect(stored).toBeLessThan(4);
      expect(stderr).toContain(`Interrupted: ${stored} of 4 trials are stored; the same command goes on.`);
      expect(stderr).not.toMatch("✗");
      expect(stderr).toContain("Finishing the epochs that run, to keep checkpoints of them.");
      expect(checkpoints().length).toBeGreaterThan(0);
      expect(stdout).toMatch(/to compute: exp run\s+tiny\s+trainer.epochs=400/);
      expect(trialsOf(place.folder).map(({ state }) => state)).toContain("cancelled");
      await nobodyLeft();
    },
    TIMEOUT_MS,
  );

  test(
    "kill -9 of a worker fails its trial alone",
    async () => {
      const before = filesOf(place.folder, "trial.json");
      const { ended } = place.start(...RUN);
      const killed = await until(() => {
        const found = running();
        try {
          // Another one, should this one have ended just now.
          return found?.pid !== undefined && process.kill(found.pid, "SIGKILL") ? found : undefined;
        } catch {
          return undefined;
        }
      }, "a worker in the middle of a trial");
      const { code, stderr, stdout } = await ended;
      // Its worker may have gone on to the next trial just before.
      const failed = trialsOf(place.folder).filter(({ state }) => state === "failed");
      expect(failed.map(({ pid }) => pid)).toEqual([killed.pid]);
      const [victim = killed] = failed;
      expect(code).toBe(1);
      expect(stderr).toMatch(/✗ folder {2}(sdt|lmam) {2}seed [01] {2}the worker ended with SIGKILL and left no result/);
      expect(stderr).toContain(`"exp show ${victim.id}"`);
      expect(stderr).toMatch("1 of 4 trials failed; the others are stored.");
      // Those that were paused.
      expect(stderr).toMatch(/· folder {2}(sdt|lmam) {2}seed [01] {2}goes on after epoch \d+/);
      expect(stdout).toMatch(/1\/2/);
      expect(done()).toHaveLength(3);
      expect(victim.isDone).toBe(false);
      expect(filesOf(place.folder, "trial.json")).toEqual(before);
    },
    TIMEOUT_MS,
  );

  test(
    "and in the end table, predictions and scores are those of the undisturbed run, byte by byte",
    async () => {
      const ended = await place.exp(...RUN);
      expect(ended).toMatchObject({ code: 0, stdout: expected });
      expect(ended.stderr).toMatch("3 of 4 trials are stored already.");
      expect(checkpoints()).toEqual([]);
      for (const name of ["predictions.csv", "test-probabilities.npz", "weights.safetensors", "trial.json"]) {
        expect(filesOf(place.folder, name)).toEqual(filesOf(undisturbed.folder, name));
      }
      const scores = (folder: string) =>
        Object.values(filesOf(folder, "result.json")).map((text) => {
          const {
            seconds: _,
            seal: __,
            ...rest
          } = JSON.parse(Buffer.from(text, "base64").toString()) as Record<string, unknown>;
          return rest;
        });
      expect(scores(place.folder)).toEqual(scores(undisturbed.folder));
    },
    TIMEOUT_MS,
  );
});

describe("a trial that diverges", () => {
  const place = createWorkplace();
  afterAll(place.remove);

  test(
    "fails alone: exit 1, the others stored, trial, reason and remedy named, the table shows what is missing",
    async () => {
      place.write({
        "experiments/tiny.yaml": STUDY.replace("fusion: [sdt, lmam]", "optimizer.lr: [1.0e+30, 0.001]").replace(
          "seeds: 2",
          "seeds: 1",
        ),
      });
      const { code, stdout, stderr } = await place.exp("run", "tiny");
      expect(code).toBe(1);
      expect(stderr).toMatch(/✗ folder {2}lr 1e\+30 {2}seed 0 {2}.*(not finite|loss became)/);
      expect(stderr).toMatch("→ Try a smaller optimizer.lr");
      expect(stderr).toMatch("✓ folder  lr 0.001  seed 0");
      expect(stderr).toMatch(
        "1 of 2 trials failed; the others are stored. The same command tries again what is missing.",
      );
      expect(stdout).toMatch(/1e\+30 +0\/1 +missing \[a\]/);
      expect(stdout).toMatch(/\[a\] no result yet; 1 failed[\s\S]*exp run\s+tiny/);
      expect(
        trialsOf(place.folder)
          .map(({ isDone, state }) => `${isDone} ${state}`)
          .sort(),
      ).toEqual(["false failed", "true done"]);
    },
    TIMEOUT_MS,
  );
});
