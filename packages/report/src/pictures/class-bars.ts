// Scores of one class, a bar per method, with the interval of the mean over seeds.
import { axisX, axisY, barX, gridX, ruleY, text } from "@observablehq/plot";
import type { Statistics } from "../aggregate/statistics.ts";
import { COLORS, type Drawing, draw, fit, labelRoom } from "./draw.ts";

export interface ClassBar {
  readonly method: string;
  /** In per cent. */
  readonly score: Statistics;
}

export function drawClassBars(name: string, bars: readonly ClassBar[], dataset: string): Drawing {
  const room = labelRoom(bars.map(({ method }) => method));
  const data = bars.map(({ method, score }, place) => ({
    place: String(place),
    method,
    mean: score.mean ?? 0,
    low: Math.max(0, score.interval?.low ?? Number.NaN),
    high: Math.min(100, score.interval?.high ?? Number.NaN),
    shown: score.mean === undefined ? "none" : score.mean.toFixed(1),
  }));
  const withInterval = data.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
  const description = data
    .map(({ method, shown, low, high }) =>
      Number.isFinite(low) ? `${method} ${shown} (${low.toFixed(1)} to ${high.toFixed(1)})` : `${method} ${shown}`,
    )
    .join("; ");
  return draw(`F1 of the class ${name} on ${dataset}`, `${description}. In per cent; intervals are 95 % of the mean.`, {
    height: 24 * data.length + 30,
    marginLeft: room,
    marginRight: 40,
    marginTop: 4,
    marginBottom: 26,
    x: { domain: [0, 100], label: null },
    y: { domain: data.map(({ place }) => place), label: null, padding: 0.3 },
    marks: [
      gridX({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 5 }),
      axisX({ ticks: 5, tickSize: 0, fill: COLORS.muted }),
      axisY({
        tickSize: 0,
        tickFormat: (place: string) => fit(data[Number(place)]?.method ?? "", room),
        fill: COLORS.ink,
      }),
      barX(data, { x: "mean", y: "place", fill: COLORS.first, fillOpacity: 0.45 }),
      ruleY(withInterval, { x1: "low", x2: "high", y: "place", stroke: COLORS.ink, strokeWidth: 1.4 }),
      text(data, {
        x: 100,
        y: "place",
        text: "shown",
        dx: 36,
        textAnchor: "end",
        fill: COLORS.ink,
        fontVariant: "tabular-nums",
      }),
    ],
  });
}
