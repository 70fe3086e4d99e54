// Which trials of a study a table is about.
import type { TableSpec } from "@merclab/runner";
import { axisValue } from "./axes.ts";
import type { Planned } from "./table.ts";

/** Those that make one of the choices that the table names, on each of its axes. */
export function selectTrials({ only = {} }: Pick<TableSpec, "only">, planned: readonly Planned[]): Planned[] {
  const wanted = Object.entries(only);
  return planned.filter(({ spec }) =>
    wanted.every(([axis, values]) => values.some((value) => value === axisValue(spec, axis))),
  );
}
