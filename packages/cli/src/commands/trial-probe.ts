// `exp trial probe`: what `exp plan --probe` starts for one trial: its spec comes on stdin, what it would take goes out
// as JSON on stdout.
import { text } from "node:stream/consumers";
import type { TrialSpec } from "@merclab/runner";
import { Command } from "commander";
import { printJson } from "../output.ts";
import { parseCount } from "./parse-numbers.ts";

export function trialProbeCommand(): Command {
  return new Command("probe")
    .description("Time a few steps of the trial whose spec is on stdin (what exp plan --probe calls)")
    .option("--data <dir>", "data root")
    .option("--threads <n>", "threads of the trial (default: one per core, where its engine uses several)", parseCount)
    .action(async (options: { readonly data?: string; readonly threads?: number }) => {
      // Loaded here, since its neighbours need none of it.
      const [{ probeTrial }, { openSite }] = await Promise.all([import("@merclab/runner"), import("../site.ts")]);
      const spec = JSON.parse(await text(process.stdin)) as TrialSpec;
      const { registry, places } = await openSite(options);
      printJson(await probeTrial(spec, { registry, dataRoot: places.dataRoot, threads: options.threads }));
    });
}
