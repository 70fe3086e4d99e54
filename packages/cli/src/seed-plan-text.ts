// What `exp plan` says of seeds: how many a difference needs, and what the planned ones find.
import { metricDescriptor } from "@merclab/core";
import type { SeedPlan } from "@merclab/report";
import { columns } from "./output.ts";

/** One head for plans of the same metric and table, one line per data set below it; nothing without plans. */
export function seedPlanText(plans: readonly SeedPlan[]): string {
  const [first] = plans;
  if (first === undefined) {
    return "";
  }
  const { label, unit } = metricDescriptor(first.metric);
  const inUnit = (value: number) => `${Number(value.toPrecision(2))}${unit === "share" ? " points" : ""}`;
  const tests = first.comparisons === 1 ? "one comparison" : `${first.comparisons} comparisons corrected together`;
  const head = `Seeds for a difference of ${inUnit(first.difference)} in ${label} (found in 80 of 100 studies; ${tests}):`;
  const rows = plans.map(({ dataset, needed, planned, detectable, spread }) => {
    if (spread === undefined) {
      return [`  ${dataset}`, "unknown until two seeds of a method have run"];
    }
    const seeds = needed === undefined ? "more than any study has" : `${needed} per method`;
    const found =
      detectable === undefined
        ? "one seed is planned, which finds nothing"
        : `the ${planned} planned find ${inUnit(detectable)}`;
    return [`  ${dataset}`, seeds, found, origin(spread, inUnit(spread.sd))];
  });
  return [head, columns(rows)].join("\n");
}

function origin({ source, runs }: NonNullable<SeedPlan["spread"]>, sd: string): string {
  switch (source) {
    case "differences":
      return `differences between methods vary by ${sd} over seeds (${runs} stored runs)`;
    case "scores":
      return `differences would vary by ${sd} over seeds (from the spread of ${runs} stored runs)`;
    case "assumed":
      return `assumed until runs are stored: differences vary by ${sd} over seeds`;
  }
}
