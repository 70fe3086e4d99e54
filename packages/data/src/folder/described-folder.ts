// A folder and its description: its own dataset.yaml, or one that comes with this package for a known set.
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MerclabError } from "@merclab/core";
import type { z } from "zod";
import { readYamlFile } from "../yaml/parse-yaml.ts";
import { type FolderDescription, folderSchema, type ObservedDescription, observedSchema } from "./description.ts";

/** Sets whose folders need no dataset.yaml of their own. */
export const KNOWN_SETS = ["iemocap", "cmu-mosi", "meld"] as const;
export type KnownSet = (typeof KNOWN_SETS)[number];

export interface DescribedFolder<Description = FolderDescription> {
  readonly folder: string;
  readonly description: Description;
  /** File that holds the description. */
  readonly describedIn: string;
}

/**
 * Finds and reads the description of a folder.
 *
 * @param knownSet whose shipped description stands in for a missing dataset.yaml; by default the one of the folder's name
 * @throws MerclabError `data` without folder or description, `config` when the description is wrong
 */
export function describeFolder(folder: string, knownSet?: KnownSet): Promise<DescribedFolder> {
  return readDescription(folder, folderSchema, knownSet);
}

/** The same for a folder that is only predicted on: what it says of labels and parts is left out. */
export function describeObserved(folder: string): Promise<DescribedFolder<ObservedDescription>> {
  return readDescription(folder, observedSchema);
}

async function readDescription<Description>(
  folder: string,
  schema: z.ZodType<Description>,
  knownSet = knownSetOf(folder),
): Promise<DescribedFolder<Description>> {
  if (!isFolder(folder)) {
    throw new MerclabError("data", "missing folder", {
      where: folder,
      hint: "Give the data root with --data DIR or MERCLAB_DATA; each dataset is a folder in it.",
    });
  }
  const own = join(folder, "dataset.yaml");
  if (!existsSync(own) && knownSet === undefined) {
    throw new MerclabError("data", "the folder has no dataset.yaml", {
      where: folder,
      hint: `It describes tables, labels, parts and modalities; known without one: ${KNOWN_SETS.join(", ")}.`,
    });
  }
  const describedIn = existsSync(own) || knownSet === undefined ? own : shippedDescription(knownSet);
  const { value } = await readYamlFile(describedIn, schema);
  return { folder, description: value, describedIn };
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The description that comes with this package: an example to copy, too. */
export function shippedDescription(name: KnownSet): string {
  return fileURLToPath(new URL(`../../descriptions/${name}.yaml`, import.meta.url));
}

function knownSetOf(folder: string): KnownSet | undefined {
  return KNOWN_SETS.find((name) => name === basename(folder));
}
