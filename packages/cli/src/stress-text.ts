// A stress test for a terminal: what is kept with fewer modalities, over missing rates, under noise, and with one
// modality mixed up.
import { metricDescriptor } from "@merclab/core";
import type { OverSeeds, StressGroup } from "@merclab/runner";
import pc from "picocolors";
import { columns } from "./output.ts";

const BAR = 24;
const STEPS = "▁▂▃▄▅▆▇█";

/** @param metric the one that is shown, of those that were scored */
export function stressText(group: StressGroup, metric: string): string {
  const { cell, seeds, conditions, modalities } = group;
  const { label, unit } = metricDescriptor(metric);
  const scored = conditions.map((condition) => ({ ...condition, score: condition.scores[metric] }));
  const clean = scored.find((each) => each.kind === "subset" && each.modalities.length === modalities.length)?.score;
  const number = (score: OverSeeds | undefined): string => withSpread(score, unit === "share" ? 100 : 1);
  const highest = Math.max(...scored.map(({ score }) => score?.mean ?? 0));
  const bar = (score: OverSeeds | undefined): string => "█".repeat(Math.round((BAR * (score?.mean ?? 0)) / highest));

  const subsets = scored.flatMap((each) =>
    each.kind === "subset" ? [[each.modalities.join(" + "), number(each.score), bar(each.score)]] : [],
  );
  const missing = scored.flatMap((each) => (each.kind === "missing" ? [each] : []));
  const noise = scored.flatMap((each) => (each.kind === "noise" ? [each] : []));
  const levels = [...new Set(noise.map(({ level }) => level))];
  const targets = [...new Set(noise.map((each) => each.modalities.join(" + ")))];
  const noiseRows = targets.map((target) => {
    const row = noise.filter((each) => each.modalities.join(" + ") === target);
    return [target, line(row.map(({ score }) => score?.mean)), ...row.map(({ score }) => number(score))];
  });
  const shuffled = scored.flatMap((each) =>
    each.kind === "shuffled" ? [[each.modality, number(each.score), number(lost(clean, each.score))]] : [],
  );
  const title = Object.values(cell).map(String).join("  ");
  const shown = unit === "share" ? `${label}, per cent` : label;
  return [
    `${pc.bold(title)}  ${seeds.length === 1 ? `seed ${seeds[0]}` : `mean ± sd over seeds ${seeds.join(", ")}`}  ${pc.dim(shown)}`,
    ...(group.source === "synthetic" ? [pc.yellow("SYNTHETIC DATA")] : []),
    "",
    pc.bold("modalities that are there"),
    columns(subsets),
    "",
    `${pc.bold("missing rate")}, each modality of each utterance`,
    columns([
      ["rate", "", ...missing.map(({ rate }) => String(rate))],
      ["score", line(missing.map(({ score }) => score?.mean)), ...missing.map(({ score }) => number(score))],
    ]),
    "",
    `${pc.bold("Gaussian noise")}, in deviations of each feature`,
    columns([["on", "", ...levels.map((level) => `×${level}`)], ...noiseRows]),
    "",
    pc.bold("one modality dealt to other utterances"),
    columns([["", "score", "lost"], ...shuffled]),
    "",
    summaryLine(group),
  ].join("\n");
}

function summaryLine({ metric, robustness, auilc, clean, floor }: StressGroup): string {
  const { label, unit } = metricDescriptor(metric);
  const scale = unit === "share" ? 100 : 1;
  const value =
    robustness === null ? "not defined: no better than a constant prediction" : withSpread(robustness, 1, 3);
  const parts = `${label} ${withSpread(clean, scale)} clean, ${withSpread(auilc, scale)} AUILC, ${withSpread(floor, scale)} constant`;
  return `${pc.bold(`robustness ${value}`)}  (${parts})`;
}

function lost(clean: OverSeeds | undefined, score: OverSeeds | undefined): OverSeeds | undefined {
  return clean === undefined || score === undefined ? undefined : { mean: clean.mean - score.mean, sd: null };
}

function withSpread(score: OverSeeds | undefined, scale: number, digits = scale === 100 ? 1 : 3): string {
  if (score === undefined) {
    return "–";
  }
  const { mean, sd } = score;
  return `${(scale * mean).toFixed(digits)}${sd === null ? "" : ` ± ${(scale * sd).toFixed(digits)}`}`;
}

/** One character per value, from the lowest to the highest. */
function line(values: readonly (number | undefined)[]): string {
  const known = values.map((value) => value ?? Number.NaN);
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  return known.map((value) => STEPS[Math.round(((STEPS.length - 1) * (value - low)) / span)] ?? " ").join("");
}
