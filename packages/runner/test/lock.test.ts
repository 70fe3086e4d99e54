// One runner per experiment, and none after a crash.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockExperiment } from "../src/study/lock.ts";
import { errorOf, temporaryFolder } from "./support.ts";

const LATER = new Date(Date.now() + 60_000).toISOString();

function lockOf(holder: object | string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "run.lock"), typeof holder === "string" ? holder : JSON.stringify(holder));
  return folder;
}

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

test("the folder is made, the lock names its holder, and releasing removes it", async () => {
  const folder = join(temporaryFolder(), "new");
  const unlock = await lockExperiment(folder);
  expect(JSON.parse(readFileSync(join(folder, "run.lock"), "utf8"))).toMatchObject({
    pid: process.pid,
    host: hostname(),
  });
  unlock();
  expect(readdirSync(folder)).toEqual([]);
});

test("a second runner is refused while the first one works, and not after", async () => {
  const folder = temporaryFolder();
  const unlock = await lockExperiment(folder);
  const before = readFileSync(join(folder, "run.lock"), "utf8");
  expect(await errorOf(() => lockExperiment(folder), folder)).toBe(
    `storage | DIR/run.lock | process ${process.pid} on ${hostname()} is running this experiment | ` +
      "Wait for it, or remove the file if that process is gone.",
  );
  expect(readFileSync(join(folder, "run.lock"), "utf8")).toBe(before);
  unlock();
  (await lockExperiment(folder))();
});

test("a living process of this machine is believed, and any of another machine", async () => {
  const living = lockOf({ pid: process.ppid, host: hostname(), at: LATER });
  expect(await errorOf(() => lockExperiment(living))).toMatch(`process ${process.ppid} on`);
  const elsewhere = lockOf({ pid: deadPid(), host: "elsewhere", at: LATER });
  expect(await errorOf(() => lockExperiment(elsewhere))).toMatch("on elsewhere is running this experiment");
});

test.each([
  ["a dead process", () => ({ pid: deadPid(), host: hostname(), at: LATER })],
  ["this process' number from a former life", () => ({ pid: process.pid, host: hostname(), at: new Date(0) })],
  ["this process' number, before the clock jumped back", () => ({ pid: process.pid, host: hostname(), at: LATER })],
  ["nobody: empty", () => ""],
  ["nobody: torn", () => '{"pid":12'],
  ["nobody: other JSON", () => "null"],
  ["nobody: no number", () => "{}"],
])("the lock of %s is taken over, and nothing is left beside it", async (_, holder) => {
  const folder = lockOf(holder());
  const unlock = await lockExperiment(folder);
  expect(readdirSync(folder)).toEqual(["run.lock"]);
  expect(JSON.parse(readFileSync(join(folder, "run.lock"), "utf8"))).toMatchObject({ pid: process.pid });
  expect(await errorOf(() => lockExperiment(folder))).toMatch("is running this experiment");
  unlock();
  expect(existsSync(join(folder, "run.lock"))).toBe(false);
});

test.skipIf(process.platform !== "linux")("a number that another process has by now holds nothing", async () => {
  for (const other of [{ processStart: "1" }, { boot: "11111111-2222-3333-4444-555555555555" }]) {
    const folder = lockOf({ pid: process.ppid, ...other, host: hostname(), at: LATER });
    (await lockExperiment(folder))();
  }
});

test("a place that cannot be written is a storage error that says what to do", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  expect(await errorOf(() => lockExperiment(join(folder, "file", "study")), folder)).toMatch(
    /^storage \| - \| cannot write in DIR\/file\/study: ENOTDIR.*--runs DIR/,
  );
  mkdirSync(join(folder, "run.lock"));
  expect(await errorOf(() => lockExperiment(folder), folder)).toMatch(/^storage \| - \| cannot write in DIR/);
});
