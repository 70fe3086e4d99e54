// How the command starts, in a small checkout of its own: the real bin folder, and sources of two lines.
import { execFile, spawn } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, expect, test } from "vitest";

const run = promisify(execFile);
const CLI = resolve(import.meta.dirname, "..");
const NOBODY = 65534;

const roots: string[] = [];
afterAll(() => {
  for (const root of roots) {
    chmodSync(root, 0o755);
    rmSync(root, { recursive: true });
  }
});

let root = "";
const exp = () => join(root, "packages/cli/bin/exp.mjs");
const builds = () => readdirSync(join(root, "node_modules/.cache/merclab"));
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "merclab-built-"));
  roots.push(root);
  chmodSync(root, 0o755);
  cpSync(join(CLI, "bin"), join(root, "packages/cli/bin"), { recursive: true });
  symlinkSync(join(CLI, "node_modules"), join(root, "packages/cli/node_modules"));
  write("packages/cli/package.json", `{ "name": "@merclab/cli", "type": "module" }`);
  write("packages/cli/src/main.ts", `const text: string = "first"; console.log(text, import.meta.dirname);`);
});

test("is built once, and anew when a source has changed", async () => {
  const place = join(root, "packages/cli/src");
  expect((await run(process.execPath, [exp()])).stdout).toBe(`first ${place}\n`);
  expect((await run(process.execPath, [exp()])).stdout).toBe(`first ${place}\n`);
  expect(builds()).toHaveLength(1);
  write("packages/cli/src/main.ts", `console.log("second", import.meta.filename);`);
  expect((await run(process.execPath, [exp()])).stdout).toBe(`second ${place}/main.ts\n`);
  expect(builds()).toHaveLength(2);
}, 60_000);

test("several first starts at once, one killed in its build, agree on one", async () => {
  const killed = spawn(process.execPath, [exp()], { stdio: "ignore" });
  const others = [run(process.execPath, [exp()]), run(process.execPath, [exp()])];
  setTimeout(() => killed.kill("SIGKILL"), 300);
  for (const { stdout } of await Promise.all(others)) {
    expect(stdout).toMatch(/^first /);
  }
  expect(builds().filter((name) => !name.includes("."))).toHaveLength(1);
}, 60_000);

test("where nothing may be written it runs from the sources", async () => {
  chmodSync(root, 0o555);
  const options = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const { stdout } = await run(process.execPath, [exp()], { ...options, cwd: root });
  expect(stdout).toBe(`first ${join(root, "packages/cli/src")}\n`);
  expect(readdirSync(root)).toEqual(["packages"]);
}, 60_000);

test("an error in the sources is named with its place", async () => {
  write("packages/cli/src/main.ts", "const text: string = ;");
  await expect(run(process.execPath, [exp()])).rejects.toMatchObject({
    stderr: expect.stringMatching(/packages\/cli\/src\/main\.ts:1:21/),
  });
}, 60_000);

test("an error that is thrown shows the line of its source", async () => {
  write("packages/cli/src/main.ts", `type Text = string;\n\nthrow new Error("thrown" satisfies Text);`);
  await expect(run(process.execPath, [exp()])).rejects.toMatchObject({
    stderr: expect.stringMatching(/packages\/cli\/src\/main\.ts:3:7/),
  });
}, 60_000);
