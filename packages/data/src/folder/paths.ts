// Files of a feature folder. Neither "..", an absolute path nor a symbolic link leads out of it.
import { realpath, stat } from "node:fs/promises";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { nearestName } from "@merclab/core";
import glob from "fast-glob";
import type { Problem } from "./problems.ts";

/** @returns the file's path, or why there is none */
export async function findFile(folder: string, file: string): Promise<string | Problem> {
  const path = join(folder, file);
  let real: string;
  try {
    real = await realpath(path);
  } catch {
    return { message: "missing file", where: path, hint: await suggestFile(folder, file) };
  }
  const inside = relative(await realpath(folder), real);
  if (isAbsolute(inside) || inside.split(sep)[0] === "..") {
    return { message: "the file leads out of its folder", where: path, hint: "Copy it in; links may not leave." };
  }
  if (!(await stat(real)).isFile()) {
    return { message: "expected a file, got something else", where: path };
  }
  return path;
}

async function suggestFile(folder: string, file: string): Promise<string> {
  const extension = /\.\w+$/.exec(file)?.[0] ?? "";
  const found = await glob(`**/*${extension}`, { cwd: folder, deep: 3, followSymbolicLinks: false });
  const moved = found.find((path) => basename(path) === basename(file));
  const near = moved ?? nearestName(file, found);
  if (near !== undefined) {
    return `Did you mean "${near}"?`;
  }
  const names = found.sort().slice(0, 6).join(", ");
  return names === "" ? `The folder has no ${extension || "such"} file.` : `The folder has ${names}.`;
}
