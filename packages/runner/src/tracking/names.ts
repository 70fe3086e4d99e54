// What things are called on the server: runs, cells, params and metrics. Pure functions of a trial's files.
import stringify from "safe-stable-stringify";
import type { ResolvedConfig, Scores, TrialResult, TrialSpec } from "../store/trial-files.ts";

/** `iemocap sdt seed 0`, or `meld lmam rank 4 seed 1`. */
export function trialName(spec: TrialSpec): string {
  return `${cellName(spec)} seed ${spec.seed}`;
}

/** `meld lmam rank 4`: what trials that differ by their seed only have in common. */
export function cellName(spec: TrialSpec): string {
  return [spec.config.dataset.name, ...choiceNames(spec)].join(" ");
}

/** `meld/lmam-rank-4`: the cell as the beginning of metric names. */
export function cellKey(spec: TrialSpec): string {
  return `${spec.config.dataset.name}/${choiceNames(spec).join("-").replaceAll(" ", "-")}`;
}

function choiceNames(spec: TrialSpec): string[] {
  const choices = Object.entries(spec.cell).filter(([key]) => key !== "dataset" && key !== "fusion");
  return [spec.config.fusion.name, ...choices.map(([key, value]) => choiceName(key, value))];
}

/** A choice among plugins speaks for itself; an option's value needs the option's name. */
function choiceName(key: string, value: string | number | boolean | null): string {
  const option = key.slice(key.lastIndexOf(".") + 1);
  return typeof value === "string" && !key.includes(".") ? value : `${option} ${value ?? "none"}`;
}

/** The resolved config and the seed with dotted keys; the name of a part is the value of its group. */
export function flattenConfig(config: ResolvedConfig, seed: number): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [group, part] of Object.entries(config)) {
    params[group] = part.name;
    flattenInto(params, group, part.options);
  }
  params.seed = String(seed);
  return params;
}

function flattenInto(params: Record<string, string>, prefix: string, values: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(values)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      flattenInto(params, `${prefix}.${key}`, value as Readonly<Record<string, unknown>>);
    } else if (value !== undefined) {
      params[`${prefix}.${key}`] = typeof value === "string" ? value : (stringify(value) ?? String(value));
    }
  }
}

/** A metric of the whole trial; its step is the epoch that it belongs to. */
export interface ResultMetric {
  readonly key: string;
  readonly value: number;
  readonly step: number;
}

/**
 * The numbers of the result under names of their own: `test/…` is the epoch that validation chose, `max-test/…` what
 * papers print.
 */
export function resultMetrics(result: TrialResult): ResultMetric[] {
  const { selection, test } = result;
  const scores = (prefix: string, values: Scores, step: number) =>
    Object.entries(values).map(([name, value]) => ({ key: `${prefix}/${name}`, value, step }));
  return [
    { key: "best/epoch", value: selection.epoch, step: selection.epoch },
    ...scores("best/valid", selection.valid, selection.epoch),
    ...scores("test", test.validSelected.metrics, selection.epoch),
    { key: "max-test/epoch", value: test.maxTest.epoch, step: test.maxTest.epoch },
    ...scores("max-test", test.maxTest.metrics, test.maxTest.epoch),
    { key: "seconds", value: result.seconds, step: result.epochs },
    { key: "parameters/total", value: result.parameters.total, step: 0 },
    { key: "parameters/trainable", value: result.parameters.trainable, step: 0 },
  ];
}
