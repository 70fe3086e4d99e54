// The package as it would be published: built, packed, linted, and used from a folder that knows nothing of this
// repository. `publishConfig` is applied here as pnpm does when it packs.

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { USER_AGENT, VERSION } from "../src/version.ts";

const run = promisify(execFile);
const home = fileURLToPath(new URL("..", import.meta.url));
const repository = fileURLToPath(new URL("../../..", import.meta.url));
const tsc = join(repository, "node_modules/typescript/bin/tsc");
const typeRoots = join(repository, "node_modules/@types");

describe("the published package", () => {
  let folder: string;
  let installed: string;
  let tarball: Uint8Array;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mlflow-package-"));
    const stage = join(folder, "stage");
    const { publishConfig, scripts, devDependencies, ...manifest } = await readManifest();
    expect([Object.keys(scripts), Object.keys(devDependencies).length > 0]).toEqual([["prepack"], true]);
    await mkdir(stage);
    await writeFile(join(stage, "package.json"), JSON.stringify({ ...manifest, ...publishConfig }));
    for (const name of ["src", "README.md", "LICENSE"])
      await cp(join(home, name), join(stage, name), { recursive: true });
    const settings = {
      extends: join(repository, "tsconfig.base.json"),
      compilerOptions: { composite: false, rootDir: "src", outDir: "dist", typeRoots: [typeRoots] },
      include: ["src"],
    };
    await writeFile(join(stage, "tsconfig.json"), JSON.stringify(settings));
    await run(process.execPath, [tsc, "-p", stage]);
    await run("npm", ["pack", "--pack-destination", folder], { cwd: stage });
    const archive = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
    tarball = await readFile(join(folder, archive ?? "none"));
    installed = join(folder, "user", "node_modules", "mlflow-js-client");
    await mkdir(installed, { recursive: true });
    await run("tar", ["-xzf", join(folder, archive ?? "none"), "--strip-components=1", "-C", installed]);
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("names its version in the User-Agent and depends on nothing", async () => {
    const manifest = await readManifest();
    expect(VERSION).toBe(manifest.version);
    expect(USER_AGENT).toBe(`${manifest.name}/${manifest.version}`);
    expect(manifest).not.toHaveProperty("dependencies");
    expect(manifest).not.toHaveProperty("peerDependencies");
    const imports = new Set<string>();
    for (const name of await readdir(join(installed, "dist"))) {
      if (!name.endsWith(".js")) continue;
      const text = await readFile(join(installed, "dist", name), "utf8");
      for (const [, from = ""] of text.matchAll(/^(?:import|export)[^;]*? from "([^"]+)"/gm)) imports.add(from);
    }
    expect([...imports].filter((name) => !/^(\.\/|node:)/.test(name))).toEqual([]);
    expect(imports.size).toBeGreaterThan(10);
  });

  it("holds the build, the sources its maps point to, the licence and the README", async () => {
    expect((await readdir(installed)).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json", "src"]);
    const map = JSON.parse(await readFile(join(installed, "dist", "client.js.map"), "utf8"));
    expect(await readFile(join(installed, "dist", map.sources[0]), "utf8")).toContain("class MlflowClient");
  });

  it("has nothing for publint to say", async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages).toEqual([]);
  });

  it("has types that resolve as the code does", async () => {
    const result = await checkPackage(createPackageFromTarballData(tarball));
    if (!result.types) throw new Error("no types found");
    // CommonJS callers of Node 20.19 and later may require() a module; older resolution is not supported.
    const problems = result.problems.filter(
      (problem) => !("resolutionKind" in problem && problem.resolutionKind === "node10"),
    );
    expect(problems.filter(({ kind }) => kind !== "CJSResolvesToESM")).toEqual([]);
  });

  it("is imported by plain Node and compiles under strict settings", async () => {
    const user = join(folder, "user");
    const script = 'import { MlflowClient } from "mlflow-js-client"; console.log(new MlflowClient().http.baseUrl);';
    await writeFile(join(user, "use.mjs"), script);
    const env = { ...process.env, MLFLOW_TRACKING_URI: "http://127.0.0.1:9/ml/" };
    const { stdout } = await run(process.execPath, ["use.mjs"], { cwd: user, env });
    expect(stdout.trim()).toBe("http://127.0.0.1:9/ml");

    const typed = `import { MlflowClient, type Metric, type Run } from "mlflow-js-client";
export const client: MlflowClient = new MlflowClient({ trackingUri: "http://h", nonFinite: "skip" });
export const run: Promise<Run> = client.getRun("r");
export const metrics: AsyncIterable<Metric> = client.getMetricHistory("r", "m");
// @ts-expect-error a number is no run id
export const wrong = client.getRun(1);
`;
    await writeFile(join(user, "use.mts"), typed);
    const settings = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2023", "--skipLibCheck", "false"];
    const types = ["--types", "node", "--typeRoots", typeRoots];
    await run(process.execPath, [tsc, ...settings, ...types, "use.mts"], { cwd: user }).catch((error) => {
      throw new Error(error.stdout);
    });
  }, 60_000);
});

async function readManifest() {
  return JSON.parse(await readFile(join(home, "package.json"), "utf8"));
}
