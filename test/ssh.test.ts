// Hosts behind ssh that share the folder: two sshd on this machine, each with a host name and processes of its own, so
// that a process number of one means nothing on the other.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, type Trial, trialsOf, until, type Workplace } from "./support/cli.ts";
import { attemptsOf } from "./support/slurm-acceptance.ts";

const SSHD = "/usr/sbin/sshd";
const NAMESPACE = ["--uts", "--pid", "--fork", "--mount-proc", "--kill-child"];
const isThere = existsSync(SSHD) && spawnSync("unshare", [...NAMESPACE, "true"]).status === 0;
const TIMEOUT_MS = 180_000;

let place: Workplace;
const hosts = new Map<string, ChildProcess>();
const HOSTS = "launcher.hosts=[n1, n2]";
const exp = (...args: string[]) => place.expWith({ PATH: `${join(place.folder, "bin")}:${process.env.PATH}` }, ...args);

const ssh = (host: string, command: string) =>
  spawnSync(join(place.folder, "bin/ssh"), [host, command], { encoding: "utf8" });

beforeAll(async () => {
  if (!isThere) {
    return;
  }
  place = createWorkplace();
  const at = (name: string) => join(place.folder, name);
  const client = execFileSync("which", ["ssh"], { encoding: "utf8" }).trim();
  // The user's own settings and keys stay out of it.
  place.write({ "bin/ssh": `#!/bin/sh\nexec ${client} -F ${at("ssh_config")} "$@"\n` });
  chmodSync(at("bin/ssh"), 0o755);
  for (const key of ["user_key", "host_key"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  }
  const settings = [
    `IdentityFile ${at("user_key")}`,
    "StrictHostKeyChecking no",
    `UserKnownHostsFile ${at("known")}`,
    "LogLevel ERROR",
  ];
  for (const host of ["n1", "n2"]) {
    const port = await freePort();
    settings.push(`Host ${host}`, "HostName 127.0.0.1", `Port ${port}`);
    const daemon = [
      ["Port", port],
      ["ListenAddress", "127.0.0.1"],
      ["HostKey", at("host_key")],
      ["AuthorizedKeysFile", at("user_key.pub")],
      ["StrictModes", "no"],
      ["PidFile", "none"],
    ];
    place.write({ [`sshd_${host}`]: daemon.map((line) => `${line.join(" ")}\n`).join("") });
    const start = `hostname ${host} && mkdir -p /run/sshd && exec ${SSHD} -D -f ${at(`sshd_${host}`)}`;
    hosts.set(host, spawn("unshare", [...NAMESPACE, "sh", "-c", start], { stdio: "ignore" }));
  }
  place.write({ ssh_config: `${settings.join("\n")}\n` });
  for (const host of hosts.keys()) {
    await until(() => ssh(host, "hostname").stdout.trim() === host, `sshd of ${host}`);
  }
}, TIMEOUT_MS);

afterAll(async () => {
  for (const host of hosts.values()) {
    host.kill("SIGKILL");
  }
  if (isThere) {
    await until(() => place.processes().length === 0, "all hosts to end");
    place.remove();
  }
}, TIMEOUT_MS);

describe.skipIf(!isThere)("hosts behind ssh", () => {
  test(
    "share the trials, and the table is that of a local run",
    async () => {
      const local = createWorkplace();
      const submitted = await exp("run", "tiny", "--launcher", "ssh", HOSTS);
      expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
      expect(submitted.stdout).toMatch(/^array 1: 4 trials, job n1 \d+, n2 \d+\n$/);
      const watched = await exp("watch", "tiny", "--every", "0.3");
      expect(watched, watched.stderr).toMatchObject({ code: 0 });
      const attempts = trialsOf(place.folder).flatMap(({ id }) => attemptsOf(place.folder, id));
      expect(attempts.map(({ outcome }) => outcome)).toEqual(["done", "done", "done", "done"]);
      expect(new Set(attempts.map(({ host }) => host))).toEqual(new Set(["n1", "n2"]));
      await local.exp("run", "tiny");
      expect((await exp("table", "tiny")).stdout).toBe((await local.exp("table", "tiny")).stdout);
      local.remove();
    },
    TIMEOUT_MS,
  );

  test(
    "one that cannot be reached is named, and the others do its part; none: nothing is submitted",
    async () => {
      const none = await exp("run", "tiny", "--seeds", "4", "--launcher", "ssh", "launcher.hosts=[n3]");
      expect(none).toMatchObject({ code: 2, stdout: "" });
      expect(none.stderr).toMatch(/^error launcher\.submit on n3 failed: ssh: Could not resolve hostname n3: /m);
      const one = await exp("run", "tiny", "--seeds", "4", "--launcher", "ssh", "launcher.hosts=[n3, n1]");
      expect(one, one.stderr).toMatchObject({ code: 0 });
      expect(one.stdout).toMatch(/^array 3: 4 trials, job n1 \d+\n$/);
      expect(one.stderr).toMatch(
        /^warning launcher\.submit on n3 failed: .*; the other workers go through all trials$/m,
      );
      expect(await exp("watch", "tiny", "--every", "0.3")).toMatchObject({ code: 0 });
      expect(trialsOf(place.folder).map(({ isDone }) => isDone)).toEqual(Array(8).fill(true));
    },
    TIMEOUT_MS,
  );

  test(
    "are cancelled; one that is gone holds up neither the others nor what is submitted anew",
    async () => {
      const isRunning = ({ isDone, epochs }: Trial) => !isDone && epochs > 0;
      const run = ["run", "tiny", "trainer.epochs=1000000", "--launcher", "ssh", HOSTS] as const;
      expect(await exp(...run)).toMatchObject({ code: 0 });
      await until(() => trialsOf(place.folder).filter(isRunning).length === 2, "a trial to run on each host");
      hosts.get("n2")?.kill("SIGKILL");
      await until(() => ssh("n2", "hostname").status !== 0, "n2 to be gone");
      const seen = await exp("watch", "tiny", "--once");
      expect(seen.stdout.match(/ for its worker$/gm)).toHaveLength(2);
      expect(seen.stderr).toMatch(/^unknown launcher\.poll on n2 failed: ssh: connect to host 127\.0\.0\.1 /m);

      const cancelled = await exp("cancel", "tiny");
      expect(cancelled.stdout).toBe("4 trials are cancelled; 4 waited or ran.\n");
      expect(cancelled.stderr).toMatch(/^launcher\.cancel on n2 failed: ssh: connect to host /m);
      await until(() => !place.processes().some((line) => line.includes("trial run")), "the worker of n1 to end");
      // One trial is n2's until its heart has not beaten for minutes; the others are free.
      const resumed = await exp("resume", "tiny", "launcher.hosts=[n1]");
      expect(resumed, resumed.stderr).toMatchObject({ code: 0 });
      expect(resumed.stdout).toMatch(/^array 5: 3 trials, job n1 \d+\n$/);
      expect((await exp("cancel", "tiny")).stdout).toBe("4 trials are cancelled; 4 waited or ran.\n");
      await until(() => !place.processes().some((line) => line.includes("trial run")), "the worker to end");
    },
    TIMEOUT_MS,
  );
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
