// Where the built command lies: one folder per state of the sources, built where there is none. Several processes may
// build at once; a folder has its name when it is complete.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const HOME = fileURLToPath(new URL("../../../", import.meta.url));
const CACHE = join(HOME, "node_modules/.cache/merclab");
/** 10 MB each. A process may still load modules of the one that it was started from. */
const KEPT = 20;
const run = promisify(execFile);
const READ_ONLY = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT"];

/**
 * The module to start from, and merclab's own copies of what plugins import by what they are imported as; undefined
 * where nothing can be written.
 */
export async function findBuilt() {
  const folder = join(CACHE, stateOfSources());
  try {
    if (!existsSync(folder)) {
      await build(folder);
    }
  } catch (error) {
    if (READ_ONLY.includes(error.code)) {
      return undefined;
    }
    throw error;
  }
  const url = (file) => pathToFileURL(join(folder, file)).href;
  const copies = JSON.parse(readFileSync(join(folder, "copies.json"), "utf8"));
  return { main: url("main.js"), copies: Object.fromEntries(copies.map((name) => [name, url(`copies/${name}.js`)])) };
}

/** Hash over names, sizes and times of all that a build is made from. */
function stateOfSources() {
  const packages = join(HOME, "packages");
  const folders = readdirSync(packages).map((name) => join(packages, name, "src"));
  const sources = folders.filter(existsSync).flatMap(filesIn);
  const others = readdirSync(packages).map((name) => join(packages, name, "package.json"));
  const own = ["build.mjs", "built.mjs"].map((name) => join(import.meta.dirname, name));
  const hash = createHash("sha256").update(HOME);
  for (const file of [...sources, ...others, ...own, join(HOME, "pnpm-lock.yaml")]) {
    const { size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

async function build(folder) {
  const unfinished = `${folder}.${process.pid}`;
  try {
    mkdirSync(unfinished, { recursive: true });
    if (process.stderr.isTTY) {
      process.stderr.write("Building the command from its sources …\n");
    }
    await run(process.execPath, [join(import.meta.dirname, "build.mjs"), unfinished]);
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) {
      // Of the build's process: what it printed says more than that it failed.
      throw error.stderr ? new Error(`the command cannot be built from its sources\n${error.stderr}`) : error;
    }
  }
  removeOld();
}

/** What a killed process left unfinished is old one day, too. */
function removeOld() {
  const age = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const paths = readdirSync(CACHE).map((name) => join(CACHE, name));
  for (const path of paths.sort((a, b) => age(b) - age(a)).slice(KEPT)) {
    rmSync(path, { recursive: true, force: true });
  }
}
