// The plugins that core brings itself.
import type { Plugin } from "../contracts/plugins.ts";
import { noBalancerPlugin, ogmGePlugin } from "./balancers.ts";
import { cpuPlugin, wasmPlugin } from "./engines.ts";
import { crossEntropyPlugin } from "./objectives.ts";
import { adamPlugin, adamwPlugin, sgdPlugin } from "./optimizers.ts";

export const plugins: readonly Plugin[] = [
  crossEntropyPlugin,
  noBalancerPlugin,
  ogmGePlugin,
  adamPlugin,
  adamwPlugin,
  sgdPlugin,
  wasmPlugin,
  cpuPlugin,
];
