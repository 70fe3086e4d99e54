// The datasets that this package brings.
import type { Plugin } from "@merclab/core";
import { cmuMosiPlugin, folderPlugin, iemocapPlugin, meldPlugin } from "./folders.ts";
import { syntheticPlugin } from "./synthetic.ts";

export const plugins: readonly Plugin[] = [iemocapPlugin, cmuMosiPlugin, meldPlugin, folderPlugin, syntheticPlugin];
