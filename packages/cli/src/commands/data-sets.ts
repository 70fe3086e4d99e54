// Folders of known sets need no description of their own: they are known by their name.
import { basename, resolve } from "node:path";
import { KNOWN_SETS, type KnownSet } from "@merclab/data";

export function knownSet(dir: string): { readonly folder: string; readonly known: KnownSet | undefined } {
  const folder = resolve(dir);
  const name = basename(folder);
  return { folder, known: (KNOWN_SETS as readonly string[]).includes(name) ? (name as KnownSet) : undefined };
}
