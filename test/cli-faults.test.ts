// What happens to disks, files and clocks, done for real: a message that says what and where, nothing that is finished
// is lost, and the same command goes on.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, type Ended, filesOf, trialsOf, until } from "./support/cli.ts";

const TIMEOUT_MS = 180_000;
const RUN = ["run", "tiny", "trainer.epochs=100", "--jobs", "1", "--checkpoint-every", "0"];

const [place, undisturbed] = [createWorkplace(), createWorkplace()];
const runs = join(place.folder, "runs");
let expected: Ended;

beforeAll(async () => {
  expected = await undisturbed.exp(...RUN);
  expect(expected).toMatchObject({ code: 0 });
}, TIMEOUT_MS);
afterAll(() => {
  spawnSync("umount", [runs]);
  place.remove();
  undisturbed.remove();
});

const idsDone = () => trialsOf(place.folder).flatMap(({ id, isDone }) => (isDone ? [id] : []));
const trialFile = (id: string, name: string) => join(runs, "tiny/trials", id, name);

function expectUndisturbed({ code, stdout, stderr }: Ended): void {
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(expected.stdout);
  for (const name of ["predictions.csv", "test-probabilities.npz"]) {
    expect(filesOf(place.folder, name)).toEqual(filesOf(undisturbed.folder, name));
  }
}

/** Runs until a trial has a checkpoint after some epochs, then kills all; that trial. */
async function killedInTheMiddle(): Promise<string> {
  const { child, ended } = place.start(...RUN);
  const trial = await until(
    () => trialsOf(place.folder).find(({ isDone, epochs, state }) => state === "running" && !isDone && epochs > 20),
    "a trial in the middle",
  );
  process.kill(-(child.pid ?? Number.NaN), "SIGKILL");
  await ended;
  return trial.id;
}

const canMount = (() => {
  const folder = join(undisturbed.folder, "mount");
  mkdirSync(folder);
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  return status === 0 && spawnSync("umount", [folder]).status === 0;
})();

describe.skipIf(!canMount)("a disk (needs the right to mount one)", () => {
  const mount = (...options: string[]) =>
    execFileSync("mount", ["-o", options.join(","), "-t", "tmpfs", "tmpfs", runs]);

  test(
    "that is full: says so once, starts no further trial, keeps what is finished, and goes on when there is room",
    async () => {
      mkdirSync(runs, { recursive: true });
      mount("size=200k");
      const { code, stderr } = await place.exp(...RUN);
      expect(code).toBe(2);
      expect(stderr).toMatch(/error trials cannot be stored: .*ENOSPC/);
      expect(stderr).toMatch(/→ Make room, .* the same command goes on/);
      expect(stderr.match(/✗/g)).toHaveLength(1);
      const done = idsDone();
      expect(done.length).toBeGreaterThan(0);
      expect(done.length).toBeLessThan(4);
      const before = filesOf(place.folder, "trial.json");
      mount("remount", "size=20m");
      const again = await place.exp(...RUN);
      expect(again.stderr).toMatch(`${done.length} of 4 trials are stored already.`);
      expectUndisturbed(again);
      expect(filesOf(place.folder, "trial.json")).toMatchObject(before);
    },
    TIMEOUT_MS,
  );

  test(
    "that cannot be written: tables and plans are there, and a run says why it cannot be",
    async () => {
      mount("remount", "ro");
      expect(await place.exp("table", "tiny")).toMatchObject({ code: 0, stdout: expected.stdout });
      expect((await place.exp("plan", "tiny", "trainer.epochs=100")).stdout).toMatch("4 of 4 trials are done");
      const run = await place.exp("run", "tiny", "--seeds", "3");
      expect(run.code).toBe(2);
      expect(run.stderr).toMatch(/error cannot write in .*runs\/tiny: EROFS/);
      expect(run.stderr).toMatch("--runs DIR");
      execFileSync("umount", [runs]);
      expect(readdirSync(runs)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("a stored file", () => {
  test(
    "that is damaged, of a trial in the middle: checkpoint and journal are not believed, and the bits stay the same",
    async () => {
      const id = await killedInTheMiddle();
      const checkpoint = trialFile(id, "checkpoint.safetensors");
      const bytes = readFileSync(checkpoint);
      bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 0xff;
      writeFileSync(checkpoint, bytes);
      const journal = trialFile(id, "journal.jsonl");
      const lines = readFileSync(journal, "utf8").split("\n");
      lines[5] = "\u0000\u0000garbled{";
      writeFileSync(journal, lines.join("\n").slice(0, -20));
      const again = await place.exp(...RUN);
      expect(again.stderr).toMatch(/the checkpoint is not used: its checksum is wrong; the trial starts over/);
      expectUndisturbed(again);
      expect(readFileSync(journal, "utf8")).not.toMatch("garbled");
    },
    TIMEOUT_MS,
  );

  test(
    "that is cut off, of a trial that is done: the journal harms no table, and its line is named to who reads it",
    async () => {
      const [id = "", other = ""] = idsDone();
      const text = readFileSync(trialFile(id, "journal.jsonl"), "utf8");
      truncateSync(trialFile(id, "journal.jsonl"), text.length - 7);
      writeFileSync(trialFile(other, "journal.jsonl"), text.replace('"t":"m"', '"t:"m"'));
      expectUndisturbed(await place.exp(...RUN));
      expect(await place.exp("show", id)).toMatchObject({ code: 0 });
      const shown = await place.exp("show", other);
      expect(shown.code).toBe(2);
      expect(shown.stderr).toMatch(/a line of the journal is no JSON\n.*journal.jsonl:2\n.*→ /);
    },
    TIMEOUT_MS,
  );
});

const FAKETIME = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));

describe.skipIf(FAKETIME === undefined)("a clock (needs libfaketime)", () => {
  test(
    "that jumps back by days, in the middle and while a lock of later lies there: nothing is lost, the bits stay the same",
    async () => {
      place.write({ clock: "+0\n" });
      execFileSync("rm", ["-rf", runs]);
      const clock = {
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: join(place.folder, "clock"),
        FAKETIME_NO_CACHE: "1",
        DONT_FAKE_MONOTONIC: "1",
      };
      const { child, ended } = place.startWith(clock, ...RUN);
      const trial = await until(
        () => trialsOf(place.folder).find(({ isDone, epochs }) => !isDone && epochs > 10),
        "a trial in the middle",
      );
      place.write({ clock: "-3d\n" });
      await until(() => trialsOf(place.folder).find(({ id, isDone }) => id === trial.id && isDone), "its end");
      process.kill(-(child.pid ?? Number.NaN), "SIGKILL");
      await ended;
      const times = readFileSync(trialFile(trial.id, "journal.jsonl"), "utf8").match(/"ts":\d+/g) ?? [];
      expect([...times].sort()).not.toEqual(times);
      place.write({ clock: "-6d\n" });
      const again = await place.startWith(clock, ...RUN).ended;
      expectUndisturbed(again);
      const { seconds } = JSON.parse(readFileSync(trialFile(trial.id, "result.json"), "utf8")) as { seconds: number };
      expect(seconds).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
