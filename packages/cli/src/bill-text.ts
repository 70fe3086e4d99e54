// The bill of a study in words.
import type { Bill } from "@merclab/runner";
import prettyMs from "pretty-ms";

/** Time left, memory and disk of what is missing, with where the numbers come from. */
export function billText({ trials, seconds, memoryBytes, disk }: Bill): string[] {
  if (trials.length === 0) {
    return [];
  }
  const sources = [...new Set(trials.map(({ secondsFrom }) => secondsFrom))];
  const from = { stored: "trials of the same config", probe: "a probe", "other trials": "other trials of the study" };
  const told = sources.flatMap((source) => (source === undefined ? [] : [from[source]]));
  const time =
    seconds === undefined
      ? "time unknown until one trial has run: --probe times a few steps of each config"
      : `about ${durationText(seconds)}, by ${told.join(" and ")}`;
  const known = { stored: "as measured in trials that ran", probe: "as a probe took", engine: "by what engines take" };
  const memory = [...new Set(trials.map(({ memoryFrom }) => known[memoryFrom]))].join(", ");
  return [
    `time    ${time}`,
    `memory  ${sizeText(memoryBytes)} at a time, ${memory}`,
    `disk    ${sizeText(disk.weightsBytes + disk.otherBytes)}, of which ${sizeText(disk.weightsBytes)} are weights (--keep-weights none leaves them out)`,
  ];
}

export function durationText(seconds: number): string {
  return prettyMs(1000 * Math.ceil(seconds));
}

export function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}
