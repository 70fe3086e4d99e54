// The plugins that core brings itself.
import type { Plugin } from "../contracts/plugins.ts";
import { noBalancerPlugin, ogmGePlugin } from "./balancers.ts";
import { cpuPlugin, wasmPlugin } from "./engines.ts";
import { binaryCrossEntropyPlugin, crossEntropyPlugin, huberPlugin, l1Plugin, msePlugin } from "./objectives.ts";
import { adamPlugin, adamwPlugin, sgdPlugin } from "./optimizers.ts";

export const plugins: readonly Plugin[] = [
  crossEntropyPlugin,
  binaryCrossEntropyPlugin,
  l1Plugin,
  msePlugin,
  huberPlugin,
  noBalancerPlugin,
  ogmGePlugin,
  adamPlugin,
  adamwPlugin,
  sgdPlugin,
  wasmPlugin,
  cpuPlugin,
];
