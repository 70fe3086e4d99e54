// Where two methods disagree: bars to the left are utterances that only the first has right, or that it is nearer to, to
// the right the second.
import { axisX, axisY, barX, gridX, ruleX, text } from "@observablehq/plot";
import { COLORS, type Drawing, draw, fit, labelRoom } from "./draw.ts";

/** A bar to each side. */
export interface BarPair {
  readonly name: string;
  readonly onlyFirst: number;
  readonly onlySecond: number;
}

/** @param said what a bar counts: "right only" with a method, or "nearer" */
export function drawFlipBars(
  what: string,
  counts: readonly BarPair[],
  [first, second]: readonly [string, string],
  said: "right only" | "nearer" = "right only",
): Drawing {
  const widest = Math.max(...counts.flatMap(({ onlyFirst, onlySecond }) => [onlyFirst, onlySecond]));
  const begin = said === "nearer" ? "Nearer" : "Right only";
  const room = labelRoom(counts.map(({ name }) => name));
  const data = counts.map((each, place) => ({ ...each, place: String(place), left: -each.onlyFirst }));
  const limit = Math.max(1, widest) * 1.45;
  const description = counts
    .map(({ name, onlyFirst, onlySecond }) => `${name}: ${onlyFirst} and ${onlySecond}`)
    .join("; ");
  return draw(
    `${begin} with ${first}, and ${said} with ${second}, ${what}`,
    `Numbers of utterances with ${first} and with ${second}. ${description}.`,
    {
      height: 24 * data.length + 28,
      marginLeft: room,
      marginRight: 8,
      marginTop: 4,
      marginBottom: 24,
      x: { domain: [-limit, limit], label: null },
      y: { domain: data.map(({ place }) => place), label: null, padding: 0.3 },
      marks: [
        gridX({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 4 }),
        axisX({ ticks: 4, tickSize: 0, tickFormat: (value: number) => String(Math.abs(value)), fill: COLORS.muted }),
        axisY({
          tickSize: 0,
          tickFormat: (place: string) => fit(data[Number(place)]?.name ?? "", room),
          fill: COLORS.ink,
        }),
        barX(data, { x: "left", y: "place", fill: COLORS.first, fillOpacity: 0.75 }),
        barX(data, { x: "onlySecond", y: "place", fill: COLORS.second, fillOpacity: 0.75 }),
        ruleX([0], { stroke: COLORS.ink }),
        text(data, {
          x: "left",
          y: "place",
          text: "onlyFirst",
          dx: -4,
          textAnchor: "end",
          fill: COLORS.ink,
          fontVariant: "tabular-nums",
        }),
        text(data, {
          x: "onlySecond",
          y: "place",
          text: "onlySecond",
          dx: 4,
          textAnchor: "start",
          fill: COLORS.ink,
          fontVariant: "tabular-nums",
        }),
      ],
    },
  );
}
