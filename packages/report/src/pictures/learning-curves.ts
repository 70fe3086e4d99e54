// Learning curves of one method: scores above, training loss below, on the scales of all methods of a data set.
import { areaY, axisX, axisY, dot, gridY, line, ruleX } from "@observablehq/plot";
import type { CurvePoint } from "../study/curves.ts";
import { COLORS, type Drawing, draw, WIDTH } from "./draw.ts";

export interface MethodCurves {
  readonly label: string;
  readonly valid: readonly CurvePoint[];
  readonly test: readonly CurvePoint[];
  readonly loss: readonly CurvePoint[];
  /** The epoch that validation chose and its score, one per seed. */
  readonly selected: readonly { readonly epoch: number; readonly value: number }[];
}

/** Scales shared by the methods of a data set; scores in the unit that is printed. */
export interface CurveScales {
  readonly epochs: number;
  readonly score: readonly [number, number];
  readonly loss: readonly [number, number];
  readonly scoreLabel: string;
}

const MARGINS = { marginLeft: 40, marginRight: 10, marginTop: 8 } as const;

/** @param others mean validation curves of the other methods, drawn faintly to compare with */
export function drawScoreCurves(
  curves: MethodCurves,
  scales: CurveScales,
  others: readonly (readonly CurvePoint[])[],
  dataset: string,
): Drawing {
  const { label, valid, test, selected } = curves;
  const title = `${scales.scoreLabel} of ${label} on ${dataset}, epoch by epoch`;
  const last = valid.at(-1);
  const description =
    `Mean over seeds, with a band from the lowest to the highest seed, on the validation part` +
    `${test.length > 0 ? " and, computed after training, on the test part" : ""}. ` +
    `${last === undefined ? "" : `Validation ends at ${last.mean.toFixed(2)}. `}` +
    `Dots mark the chosen epochs: ${selected.map(({ epoch }) => epoch).join(", ") || "none"}.`;
  return draw(title, description, {
    ...MARGINS,
    height: 168,
    marginBottom: 20,
    x: { domain: [1, Math.max(2, scales.epochs)], label: null },
    y: { domain: [...scales.score], label: null },
    marks: [
      gridY({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 5 }),
      axisY({ ticks: 5, tickSize: 0, fill: COLORS.muted }),
      axisX({ ticks: wholeTicks(scales.epochs), tickSize: 3, tickFormat: String, fill: COLORS.muted }),
      ...others.map((other) => line([...other], { x: "epoch", y: "mean", stroke: COLORS.ghost, strokeWidth: 1 })),
      ruleX([...selected], { x: "epoch", stroke: COLORS.first, strokeOpacity: 0.25, strokeWidth: 1 }),
      areaY([...test], { x: "epoch", y1: "low", y2: "high", fill: COLORS.second, fillOpacity: 0.15 }),
      areaY([...valid], { x: "epoch", y1: "low", y2: "high", fill: COLORS.first, fillOpacity: 0.18 }),
      line([...test], { x: "epoch", y: "mean", stroke: COLORS.second, strokeWidth: 1.6, strokeDasharray: "4,3" }),
      line([...valid], { x: "epoch", y: "mean", stroke: COLORS.first, strokeWidth: 2 }),
      dot([...selected], { x: "epoch", y: "value", r: 3.5, fill: COLORS.paper, stroke: COLORS.first, strokeWidth: 2 }),
    ],
  });
}

export function drawLossCurve(curves: MethodCurves, scales: CurveScales, dataset: string): Drawing {
  const { label, loss } = curves;
  const [first, last] = [loss[0], loss.at(-1)];
  const range = first === undefined || last === undefined ? "" : `, from ${round(first.mean)} to ${round(last.mean)}`;
  return draw(
    `Training loss of ${label} on ${dataset}, epoch by epoch`,
    `Mean over seeds${range}, with a band from the lowest to the highest seed.`,
    {
      ...MARGINS,
      height: 92,
      marginBottom: 32,
      x: { domain: [1, Math.max(2, scales.epochs)] },
      y: { domain: [...scales.loss], label: null },
      marks: [
        gridY({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 3 }),
        axisY({ ticks: 3, tickSize: 0, fill: COLORS.muted }),
        axisX({
          ticks: wholeTicks(scales.epochs),
          tickSize: 3,
          tickFormat: String,
          label: "epoch",
          labelArrow: "none",
          labelAnchor: "center",
          fill: COLORS.muted,
        }),
        areaY([...loss], { x: "epoch", y1: "low", y2: "high", fill: COLORS.ink, fillOpacity: 0.12 }),
        line([...loss], { x: "epoch", y: "mean", stroke: COLORS.ink, strokeWidth: 1.6 }),
      ],
    },
  );
}

/** Epochs to print, at most about seven. */
function wholeTicks(epochs: number): number[] {
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500].find((each) => epochs / each <= WIDTH / 48) ?? 1000;
  const inner = Array.from({ length: Math.floor(epochs / step) }, (_, i) => (i + 1) * step);
  return step === 1 ? inner : [1, ...inner];
}

function round(value: number): string {
  return value.toPrecision(3);
}
