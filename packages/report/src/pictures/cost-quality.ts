// Score against cost, a dot per method. Names stand in a column right of the dots, pushed apart and tied to them by thin
// lines, so that none covers another.
import { axisX, axisY, dot, gridY, link, ruleX, text } from "@observablehq/plot";
import type { Statistics } from "../aggregate/statistics.ts";
import { COLORS, type Drawing, draw, FONT_SIZE, fit } from "./draw.ts";

export interface PricedMethod {
  readonly method: string;
  readonly cost: number;
  /** In the unit that is printed. */
  readonly score: Statistics;
}

const ROOM = 124;
const [MARGIN_TOP, MARGIN_BOTTOM, MARGIN_LEFT] = [10, 34, 40];
const PLOT_WIDTH = 336;

/**
 * @param costLabel e.g. "trainable parameters"
 * @param higherIsBetter which methods are cheapest for what they give depends on it
 */
export function drawCostQuality(
  methods: readonly PricedMethod[],
  costLabel: string,
  scoreLabel: string,
  higherIsBetter: boolean,
  dataset: string,
): Drawing {
  const height = Math.max(196, 15 * methods.length + MARGIN_TOP + MARGIN_BOTTOM);
  const data = methods.flatMap(({ method, cost, score }) =>
    score.mean === undefined
      ? []
      : [{ method, cost, mean: score.mean, low: score.interval?.low, high: score.interval?.high }],
  );
  const costs = data.map(({ cost }) => cost);
  const scores = data.map(({ mean }) => mean);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const pad = Math.max((high - low) * 0.4, 0.5);
  const domain: [number, number] = [low - pad, high + pad];
  const clipped = data.map((each) => ({
    ...each,
    low: Math.max(domain[0], each.low ?? each.mean),
    high: Math.min(domain[1], each.high ?? each.mean),
    isBest: isUndominated(each, data, higherIsBetter),
  }));
  // Names are placed in pixels and turned back into scores, which is what the picture is drawn in.
  const inner = height - MARGIN_TOP - MARGIN_BOTTOM;
  const toPixel = (score: number) => ((domain[1] - score) / (domain[1] - domain[0])) * inner;
  const spread = pushApart(
    clipped.map(({ mean }) => toPixel(mean)),
    14,
    inner,
  );
  const [cheapest, dearest] = [Math.min(...costs), Math.max(...costs)];
  const xDomain: [number, number] = [cheapest / 1.15, dearest * 1.15];
  const named = clipped.map((each, at) => ({
    ...each,
    place: domain[1] - ((spread[at] ?? 0) / inner) * (domain[1] - domain[0]),
    edge: xDomain[1],
  }));
  const description = clipped
    .map(({ method, cost, mean }) => `${method}: ${mean.toFixed(2)} at ${cost.toLocaleString("en-US")}`)
    .join("; ");
  return draw(`${scoreLabel} against ${costLabel} on ${dataset}`, `${description}.`, {
    width: PLOT_WIDTH,
    height,
    marginLeft: MARGIN_LEFT,
    marginRight: ROOM,
    marginTop: MARGIN_TOP,
    marginBottom: MARGIN_BOTTOM,
    x: { type: "log", domain: xDomain },
    y: { domain, label: null },
    marks: [
      gridY({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 5 }),
      axisY({ ticks: 5, tickSize: 0, fill: COLORS.muted }),
      axisX({
        ticks: costTicks(cheapest, dearest),
        tickFormat: shortNumber,
        tickSize: 3,
        label: costLabel,
        labelArrow: "none",
        labelAnchor: "center",
        fill: COLORS.muted,
      }),
      link(named, { x1: "cost", y1: "mean", x2: "edge", y2: "place", stroke: COLORS.ghost, strokeWidth: 1 }),
      ruleX(clipped, { x: "cost", y1: "low", y2: "high", stroke: COLORS.first, strokeOpacity: 0.5, strokeWidth: 1.5 }),
      dot(clipped, {
        x: "cost",
        y: "mean",
        r: 4,
        fill: (each: { isBest: boolean }) => (each.isBest ? COLORS.first : COLORS.paper),
        stroke: COLORS.first,
        strokeWidth: 1.6,
      }),
      text(named, {
        x: "edge",
        y: "place",
        text: ({ method }: { method: string }) => fit(method, ROOM),
        dx: 5,
        textAnchor: "start",
        fill: COLORS.ink,
        fontSize: FONT_SIZE,
      }),
    ],
  });
}

interface Priced {
  readonly cost: number;
  readonly mean: number;
}

/** Nothing is cheaper and at least as good. */
function isUndominated(each: Priced, all: readonly Priced[], higherIsBetter: boolean): boolean {
  const sign = higherIsBetter ? 1 : -1;
  return !all.some(
    (other) =>
      other !== each &&
      other.cost <= each.cost &&
      sign * other.mean >= sign * each.mean &&
      (other.cost < each.cost || other.mean !== each.mean),
  );
}

/** Moves places to be `gap` apart within [0, room], as near to where they were as it takes. */
export function pushApart(places: readonly number[], gap: number, room: number): number[] {
  const order = places.map((place, at) => ({ place, at })).sort((a, b) => a.place - b.place);
  const used = Math.min(gap, room / Math.max(1, order.length - 1));
  for (let i = 1; i < order.length; i++) {
    const [before, each] = [order[i - 1], order[i]];
    if (before !== undefined && each !== undefined) {
      each.place = Math.max(each.place, before.place + used);
    }
  }
  let limit = room;
  for (const each of [...order].reverse()) {
    each.place = Math.min(each.place, limit);
    limit = each.place - used;
  }
  const moved = new Array<number>(places.length).fill(0);
  for (const { place, at } of order) {
    moved[at] = place;
  }
  return moved;
}

/** Two to four round numbers in the range. */
function costTicks(low: number, high: number): number[] {
  const decades = Array.from({ length: 16 }, (_, i) => 10 ** (i - 3));
  const candidates = (steps: readonly number[]) =>
    decades
      .flatMap((decade) => steps.map((step) => decade * step))
      .filter((each) => each >= low / 1.15 && each <= high * 1.15);
  const choices = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7], Array.from({ length: 36 }, (_, i) => 1 + i / 4)];
  const found = choices.map(candidates).find((ticks) => ticks.length >= 2) ?? [low, high];
  const step = Math.ceil(found.length / 4);
  return found.filter((_, i) => i % step === 0);
}

function shortNumber(value: number): string {
  const [unit, name] = value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e3 ? [1e3, " k"] : [1, ""];
  return `${Number((value / unit).toPrecision(3))}${name}`;
}
