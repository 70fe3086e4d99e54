// Where the code of a plugin lies, and its hash: over the file and everything that it imports, but for merclab, the
// libraries in merclab's contracts, and Node.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import type { Plugin as BundlerPlugin, Message } from "esbuild";
import type { PluginEntry } from "./settings.ts";

export interface PluginSource {
  /** What is imported. */
  readonly file: string;
  /** Hash of all code, wherever it lies. */
  readonly code: string;
}

/** What the resolution hook of bin/own-copies.mjs gives every plugin. */
const OWN = /^(@merclab\/[\w-]+|@tensorflow\/tfjs-core|zod)(\/|$)/;

const leaveOut: BundlerPlugin = {
  name: "leave-out",
  setup: (build) => {
    build.onResolve({ filter: OWN }, ({ path }) => ({ path, external: true }));
  },
};

export function isFileEntry(entry: string): boolean {
  return entry.startsWith("./") || entry.startsWith("../") || isAbsolute(entry);
}

/** @throws MerclabError `config` for a missing file or package, and for code that is none */
export async function findSource({ entry, where }: PluginEntry, folder: string): Promise<PluginSource> {
  if (isFileEntry(entry) && !existsSync(resolve(folder, entry))) {
    throw new MerclabError("config", `the plugin file ${entry} does not exist`, {
      where,
      hint: `Correct or remove the line; "exp new fusion NAME" writes a new one. Looked for ${resolve(folder, entry)}.`,
    });
  }
  const from = "merclab.yaml";
  const { build } = await import("esbuild");
  const contents = `export * from ${JSON.stringify(entry)};`;
  const built = await build({
    stdin: { contents, resolveDir: folder, sourcefile: from },
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    logLevel: "silent",
    loader: { ".node": "empty", ".wasm": "empty" },
    plugins: [leaveOut],
  }).catch((cause: { readonly errors?: readonly Message[] }) => {
    const [first] = cause.errors ?? [];
    if (first === undefined) {
      throw cause;
    }
    throw codeError(first, { entry, where }, folder, from, cause);
  });
  const { inputs } = built.metafile;
  const files = Object.keys(inputs).filter((path) => path !== from && existsSync(join(folder, path)));
  const [entered] = inputs[from]?.imports ?? [];
  if (entered === undefined) {
    throw new Error(`nothing is imported for ${entry}`);
  }
  const hashes = files.map((path) => sha256(readFileSync(join(folder, path)))).sort();
  return { file: join(folder, entered.path), code: `sha256:${sha256(hashes.join("\n")).slice(0, 16)}` };
}

function codeError(
  { text, location }: Message,
  { entry, where }: PluginEntry,
  folder: string,
  from: string,
  cause: unknown,
): MerclabError {
  if (location === null || location.file === from) {
    return new MerclabError("config", `the package ${entry} of a plugin is not installed in ${folder}`, {
      where,
      hint: `Install it there: npm install ${entry}. The path of a file begins with "./".`,
      cause,
    });
  }
  return new MerclabError("config", `the plugin ${entry} cannot be read: ${text}`, {
    where: `${join(folder, location.file)}:${location.line}:${location.column + 1}`,
    hint: text.startsWith("Could not resolve")
      ? "Correct the import, or install the package beside the plugin."
      : "Correct the code there.",
    cause,
  });
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
