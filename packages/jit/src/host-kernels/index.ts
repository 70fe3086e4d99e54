// Every kernel that runs after the graph, by the name under which a traced function calls it.
import type { HostKernel } from "./host-kernel.ts";
import { adamStep, sgdStep } from "./optimizers.ts";

export const HOST_KERNELS: ReadonlyMap<string, HostKernel> = new Map([
  ["AdamStep", adamStep],
  ["SgdStep", sgdStep],
]);
