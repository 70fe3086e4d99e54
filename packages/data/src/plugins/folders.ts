// Datasets read from feature folders: the known sets under the data root, and `folder` for any other.
import { resolve } from "node:path";
import { type DatasetSource, definePlugin, MerclabError } from "@merclab/core";
import { z } from "zod";
import { isFolder, type KnownSet } from "../folder/described-folder.ts";
import { SPLIT_KINDS } from "../folder/folds.ts";
import { type FolderOptions, loadFolder } from "../folder/load-folder.ts";

/** null = as the folder's description says. */
const shared = {
  target: z.string().min(1).nullable().default(null).describe("one of the folder's `targets` in place of its `labels`"),
  modalities: z.array(z.string().min(1)).min(1).nullable().default(null),
  validFraction: z.number().gt(0).lt(1).nullable().default(null),
  validSeed: z.int().nonnegative().nullable().default(null),
  normalize: z.enum(["standardize", "none"]).nullable().default(null),
  split: z
    .strictObject({
      by: z.enum(SPLIT_KINDS),
      folds: z.int().min(2).nullable().default(null),
      fold: z.int().nonnegative().default(0),
      seed: z.int().nonnegative().default(0),
    })
    .nullable()
    .default(null),
};

export const iemocapPlugin = knownSetPlugin("iemocap", "IEMOCAP: two speakers, six emotions, text and audio");
export const cmuMosiPlugin = knownSetPlugin("cmu-mosi", "CMU-MOSI: opinion videos, negative or not, three modalities");
export const meldPlugin = knownSetPlugin("meld", "MELD: scenes of Friends, several speakers, seven emotions, text");

export const folderPlugin = definePlugin({
  kind: "dataset",
  name: "folder",
  summary: "Any feature folder with a dataset.yaml",
  options: z.strictObject({
    path: z.string().min(1).describe("relative to the data root, or absolute"),
    ...shared,
  }),
  create: ({ path, ...options }, { dataRoot }) => {
    const folder = dataRoot === undefined ? (resolve(path) === path ? path : undefined) : resolve(dataRoot, path);
    return folderSource(folder, options);
  },
});

function knownSetPlugin<const Name extends KnownSet>(name: Name, summary: string) {
  return definePlugin({
    kind: "dataset",
    name,
    summary,
    options: z.strictObject(shared),
    create: (options, { dataRoot }) =>
      folderSource(dataRoot === undefined ? undefined : resolve(dataRoot, name), options, name),
  });
}

function folderSource(folder: string | undefined, options: FolderOptions, knownSet?: KnownSet): DatasetSource {
  return {
    folder,
    exists: () => folder !== undefined && isFolder(folder),
    load: async () => {
      if (folder === undefined) {
        throw new MerclabError("data", "no data root was given or found", {
          hint: "Give it with --data DIR or MERCLAB_DATA, or use the dataset synthetic.",
        });
      }
      return loadFolder(folder, options, knownSet);
    },
  };
}
