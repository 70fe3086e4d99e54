// The marks of what the tests of a table say, and the notes that tell which tests those were.
import { type MetricName, metricDescriptor } from "@merclab/core";
import { type Comparisons, LEVEL, type Margins, printedPerStored } from "./comparisons.ts";
import type { Comparison, TableCell, TableNote } from "./table.ts";

type Standing = Comparison["standing"];

/** Beside a cell, in every format. */
export const STANDING_MARKS = { winner: "*", tied: "≈", equivalent: "=", behind: "" } as const satisfies Record<
  Standing,
  string
>;

/** The cells with how they stand, and a note for each mark that is there. */
export function markStandings(
  cells: readonly (readonly TableCell[])[],
  comparisons: Comparisons,
  margins: Margins,
): { readonly cells: TableCell[][]; readonly notes: TableNote[] } {
  const marked = cells.map((row, index) =>
    row.map((cell, place): TableCell => {
      const comparison = comparisons.at(index, place);
      return comparison === undefined ? cell : { ...cell, comparison };
    }),
  );
  const found = new Set(marked.flat().flatMap(({ comparison }) => comparison?.standing ?? []));
  const tests = comparisons.tests === 1 ? "one comparison" : `the ${comparisons.tests} comparisons`;
  const { label } = comparisons.test;
  const isOrder = marked.flat().some(({ comparison }) => comparison?.toBest?.violation !== undefined);
  const test = isOrder
    ? `${label}, at 95 % confidence, Bonferroni's correction over ${tests} of this table`
    : `${label}, p <= ${LEVEL} after Holm's correction over ${tests} of this table`;
  const bounds = (Object.entries(margins) as [MetricName, number][]).map(
    ([metric, margin]) =>
      `${metricDescriptor(metric).label} ${Number((margin * printedPerStored(metric)).toPrecision(6))}`,
  );
  const texts = {
    winner: `best, and told apart from every other row on the same data (${test})`,
    tied: `not told apart: the best row of the column on this data, and those that may be as good (${test})`,
    equivalent: `as good as the best within the margin (${bounds.join(", ")}; two one-sided tests of the same kind, corrected alike)`,
  };
  const notes = (["winner", "tied", "equivalent"] as const)
    .filter((standing) => found.has(standing))
    .map((standing) => ({ mark: STANDING_MARKS[standing], text: texts[standing] }));
  return { cells: marked, notes };
}
