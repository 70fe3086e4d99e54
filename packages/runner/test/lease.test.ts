// One trainer per trial, on whatever hosts, and none after a crash.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Lease, type LeaseOwner, readHolder, takeLease } from "../src/supervisor/lease.ts";
import { errorOf, temporaryFolder, write } from "./support.ts";

const SLURM = { scheduler: "Slurm", id: "12_3", restart: 0 } as const;

function leaseOf(folder: string, job?: Parameters<typeof takeLease>[1]): Lease {
  const taken = takeLease(folder, job);
  if (!("lease" in taken)) {
    throw new Error("somebody has it");
  }
  return taken.lease;
}

/** A folder with the lease of somebody else. */
function folderOf(owner: Partial<LeaseOwner>, heartbeat?: { token?: string; at: string }): string {
  const folder = temporaryFolder();
  const whole = { token: "theirs", host: hostname(), pid: 1, at: new Date().toISOString(), ...owner };
  write(folder, {
    "lease/owner.json": JSON.stringify(whole),
    ...(heartbeat === undefined ? {} : { heartbeat: JSON.stringify({ token: "theirs", ...heartbeat }) }),
  });
  return folder;
}

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

/** This process as an owner. */
function thisOwner(): LeaseOwner {
  const folder = temporaryFolder();
  const lease = leaseOf(folder);
  lease.release();
  return lease.owner;
}

test("the lease names its owner, beats, and leaves nothing behind when it is released", () => {
  const folder = temporaryFolder();
  const lease = leaseOf(folder, SLURM);
  expect(readdirSync(folder).sort()).toEqual(["heartbeat", "lease"]);
  const owner = JSON.parse(readFileSync(join(folder, "lease/owner.json"), "utf8")) as LeaseOwner;
  expect(owner).toMatchObject({ host: hostname(), pid: process.pid, job: SLURM });
  expect(lease.isHeld()).toBe(true);
  expect(readHolder(folder)?.owner).toEqual(owner);
  lease.release();
  expect(readdirSync(folder)).toEqual([]);
  expect(readHolder(folder)).toBeUndefined();
});

test("a second one is told who has it, and takes nothing", () => {
  const folder = temporaryFolder();
  const lease = leaseOf(folder);
  const second = takeLease(folder);
  expect("holder" in second && second.holder.owner).toEqual(lease.owner);
  expect(readdirSync(folder).sort()).toEqual(["heartbeat", "lease"]);
  lease.release();
  leaseOf(folder).release();
});

test("on this machine a process that is gone is known at once, a living one is believed however long it was silent", () => {
  const here = thisOwner();
  const dead = folderOf({ ...here, token: "theirs", pid: spawnSync(process.execPath, ["-e", ""]).pid });
  expect(readHolder(dead)).toBeUndefined();
  const lease = leaseOf(dead);
  expect(readdirSync(dead).sort()).toEqual(["heartbeat", "lease"]);
  lease.release();

  const recycled = folderOf({ ...here, token: "theirs", processStart: "1" });
  expect(readHolder(recycled)).toBeUndefined();

  const silent = folderOf({ ...here, token: "theirs", at: ago(3_600_000) });
  expect(readHolder(silent)?.owner.token).toBe("theirs");
});

test("on another host the heartbeat counts, five minutes long, and no other owner's", () => {
  const host = "elsewhere";
  expect(readHolder(folderOf({ host, at: ago(3_600_000) }, { at: ago(240_000) }))?.silentMs).toBeGreaterThan(239_000);
  expect(readHolder(folderOf({ host, at: ago(3_600_000) }, { at: ago(310_000) }))).toBeUndefined();
  expect(readHolder(folderOf({ host, at: ago(3_600_000) }, { token: "former", at: ago(0) }))).toBeUndefined();
  expect(readHolder(folderOf({ host }))).toBeDefined(); // has not beaten yet
  // A container on this host has other process numbers.
  expect(readHolder(folderOf({ ...thisOwner(), token: "theirs", pid: 1, pidNamespace: "pid:[1]" }))).toBeDefined();
});

test("a job that its scheduler starts again takes over from itself, and no other job does", () => {
  const folder = folderOf({ host: "elsewhere", job: SLURM });
  expect("holder" in takeLease(folder, { ...SLURM, id: "12_4", restart: 1 })).toBe(true);
  expect("holder" in takeLease(folder, SLURM)).toBe(true);
  leaseOf(folder, { ...SLURM, restart: 1 }).release();
});

test.each(["", '{"token"', "null"])("what a crash left of a lease is taken over: %j", (text) => {
  const folder = temporaryFolder();
  write(folder, { "lease/owner.json": text });
  const lease = leaseOf(folder);
  expect(lease.isHeld()).toBe(true);
  lease.release();
  mkdirSync(join(folder, "lease"));
  leaseOf(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("what those left who were killed meanwhile is cleared away, and what the living are about to use is not", () => {
  const folder = temporaryFolder();
  const here = thisOwner();
  const dead = JSON.stringify({ ...here, pid: spawnSync(process.execPath, ["-e", ""]).pid });
  write(folder, {
    "lease.aaaa/owner.json": dead,
    "lease.broken-bbbb/owner.json": dead,
    "lease.cccc/owner.json": JSON.stringify({ ...here, host: "elsewhere", at: ago(400_000) }),
    "lease.dddd/owner.json": JSON.stringify(here),
    "lease.eeee/owner.json": JSON.stringify({ ...here, host: "elsewhere" }),
    "lease.ffff/owner.json": "",
    "heartbeat.1234567": "{",
  });
  leaseOf(folder).release();
  expect(readdirSync(folder).sort()).toEqual(["lease.dddd", "lease.eeee", "lease.ffff"]);
});

test("who was taken over knows, and does not take the new owner's lease away", () => {
  const folder = temporaryFolder();
  const lease = leaseOf(folder);
  writeFileSync(join(folder, "lease/owner.json"), JSON.stringify({ ...lease.owner, token: "another" }));
  expect(lease.isHeld()).toBe(false);
  lease.release();
  expect(existsSync(join(folder, "lease/owner.json"))).toBe(true);
});

test("a folder that cannot be written is a storage error that says what to do", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  expect(await errorOf(() => takeLease(join(folder, "file")), folder)).toMatch(
    /^storage \| - \| cannot write in DIR\/file: ENOTDIR.*--runs DIR/,
  );
});
