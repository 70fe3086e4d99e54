// `merclab.yaml` of a user's folder: which plugins are theirs. Comments and order stay as they are when one is added.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import { readYamlFile } from "@merclab/data";
import { isSeq, parseDocument } from "yaml";
import { z } from "zod";

export const SETTINGS_FILE = "merclab.yaml";

const settingsSchema = z.strictObject({
  /** Files by paths that begin with a dot, else npm packages. */
  plugins: z.array(z.string().min(1)).default([]),
});

/** An entry under `plugins`, and where it was written. */
export interface PluginEntry {
  readonly entry: string;
  readonly where: string;
}

/** None where there is no file. @throws MerclabError `config` for what is no settings file */
export async function readPluginEntries(folder: string): Promise<PluginEntry[]> {
  const file = join(folder, SETTINGS_FILE);
  if (!existsSync(file)) {
    return [];
  }
  const { value, lineOf } = await readYamlFile(file, settingsSchema);
  const twice = value.plugins.find((entry, i) => value.plugins.indexOf(entry) < i);
  if (twice !== undefined) {
    const line = lineOf(["plugins", value.plugins.lastIndexOf(twice)]);
    throw new MerclabError("config", `${twice} is listed twice`, { where: `${file}:${line}`, hint: "Remove one." });
  }
  return value.plugins.map((entry, i) => ({ entry, where: `${file}:${lineOf(["plugins", i])}` }));
}

/** Adds an entry, and makes the file where there is none. The file must be one that can be read. */
export function addPluginEntry(folder: string, entry: string): void {
  const file = join(folder, SETTINGS_FILE);
  const document = parseDocument(existsSync(file) ? readFileSync(file, "utf8") : "");
  const list = document.get("plugins");
  if (isSeq(list)) {
    list.add(document.createNode(entry));
  } else {
    document.set("plugins", document.createNode([entry]));
  }
  writeFileSync(file, document.toString());
}
