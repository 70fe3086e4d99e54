// The state of a git checkout, by one call of git; nothing where there is no checkout or no git.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface GitState {
  readonly commit: string;
  /** Absent where HEAD is detached. */
  readonly branch?: string;
  /** Whether files that git tracks differ from the commit. */
  readonly dirty: boolean;
}

const TIMEOUT_MS = 10_000;

/** Of the checkout that `folder` lies in; undefined where there is none, or none that git can read in ten seconds. */
export async function gitState(folder: string): Promise<GitState | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      "git",
      ["-C", folder, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
      { timeout: TIMEOUT_MS, maxBuffer: 1e8 },
    );
    return parseGitStatus(stdout);
  } catch {
    return undefined;
  }
}

/** @param text what `git status --porcelain=v2 --branch` prints */
export function parseGitStatus(text: string): GitState | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const header = (name: string) =>
    lines.find((line) => line.startsWith(`# branch.${name} `))?.slice(`# branch.${name} `.length);
  const commit = header("oid");
  const branch = header("head");
  if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) {
    return undefined; // a repository without a commit
  }
  return {
    commit,
    ...(branch === undefined || branch === "(detached)" ? {} : { branch }),
    dirty: lines.some((line) => !line.startsWith("#")),
  };
}
