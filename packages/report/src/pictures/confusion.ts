// A confusion matrix: rows are labels and sum to 100 %, with the number of utterances below each share. Tints stay so
// light, or on dark pages so dark, that text on them is read everywhere (contrast 4.5).
import type { ConfusionMatrix } from "@merclab/core";
import { axisX, axisY, cell, text } from "@observablehq/plot";
import { COLORS, type Drawing, draw, FONT_SIZE, fit, labelRoom, WIDTH } from "./draw.ts";

/** @param counts summed over `runs` runs; each cell shows the mean of one */
export function drawConfusion(
  label: string,
  counts: ConfusionMatrix,
  runs: number,
  classes: readonly string[],
  dataset: string,
): Drawing {
  const room = labelRoom(classes, 92);
  const side = Math.min(46, (WIDTH - room - 6) / Math.max(1, classes.length));
  const cells = counts.flatMap((row, truth) => {
    const total = row.reduce((sum, each) => sum + each, 0);
    return row.map((count, predicted) => ({
      truth: String(truth),
      predicted: String(predicted),
      share: total === 0 ? 0 : count / total,
      shown: total === 0 ? "–" : (100 * (count / total)).toFixed(0),
      count: (count / runs).toFixed(runs === 1 ? 0 : 1),
    }));
  });
  const diagonal = classes.map((name, at) => {
    const each = cells[at * classes.length + at];
    return `${name} ${each?.shown ?? "–"} %`;
  });
  const places = classes.map((_, at) => String(at));
  const showsCounts = side >= 30;
  // Names stand aslant above the columns where they are wider than these.
  const isAslant = classes.some((name) => name.length * FONT_SIZE * 0.56 > side - 4);
  const marginTop = isAslant ? Math.min(74, Math.round(room * 0.74) + 6) : 22;
  const nameOf = (place: string) => classes[Number(place)] ?? "";
  return draw(
    `Confusion matrix of ${label} on ${dataset}`,
    `Rows are labels, columns predictions, in per cent of the row. Found: ${diagonal.join(", ")}.`,
    {
      width: Math.ceil(room + side * classes.length + (isAslant ? 30 : 6)),
      height: Math.ceil(marginTop + side * classes.length + 2),
      marginLeft: room,
      marginTop,
      marginRight: isAslant ? 30 : 6,
      marginBottom: 2,
      x: { domain: places, padding: 0, label: null },
      y: { domain: places, padding: 0, label: null },
      marks: [
        axisX({
          anchor: "top",
          tickSize: 0,
          tickFormat: (place: string) => fit(nameOf(place), room),
          tickRotate: isAslant ? -45 : 0,
          fill: COLORS.muted,
        }),
        axisY({ tickSize: 0, tickFormat: (place: string) => fit(nameOf(place), room), fill: COLORS.ink }),
        cell(cells, {
          x: "predicted",
          y: "truth",
          fill: COLORS.fill,
          fillOpacity: (each: { share: number }) => 0.04 + 0.6 * each.share,
          inset: 1,
        }),
        text(cells, {
          x: "predicted",
          y: "truth",
          text: "shown",
          dy: showsCounts ? -5 : 0,
          fontWeight: 600,
          fill: COLORS.ink,
          fontVariant: "tabular-nums",
        }),
        ...(showsCounts
          ? [text(cells, { x: "predicted", y: "truth", text: "count", dy: 8, fontSize: 9, fill: COLORS.ink })]
          : []),
      ],
    },
  );
}
