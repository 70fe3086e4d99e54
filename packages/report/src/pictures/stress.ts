// What is left of a score when modalities are missing, noisy or mixed up: lines over how strong the stress is, and a sheet
// of the conditions that have no strength.
import { axisX, axisY, cell, dot, gridY, line, text } from "@observablehq/plot";
import { pushApart } from "./cost-quality.ts";
import { COLORS, type Drawing, draw, fit, labelRoom, SERIES, WIDTH } from "./draw.ts";

export interface StressLine {
  readonly method: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const ROOM = 104;

/** @param domain of the score, shared by the pictures of a data set */
export function drawStressLines(
  title: string,
  xLabel: string,
  lines: readonly StressLine[],
  domain: readonly [number, number],
): Drawing {
  const [marginTop, marginBottom] = [8, 34];
  const height = Math.max(190, 14 * lines.length + marginTop + marginBottom);
  const inner = height - marginTop - marginBottom;
  const [low, high] = domain;
  const ends = lines.map(({ points }) => points.at(-1)?.y ?? low);
  const placed = pushApart(
    ends.map((end) => ((high - end) / (high - low)) * inner),
    13,
    inner,
  ).map((pixel) => high - (pixel / inner) * (high - low));
  const colored = lines.map((each, at) => ({ ...each, color: SERIES[at % SERIES.length] ?? COLORS.ink }));
  const last = Math.max(...lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const description = lines
    .map(({ method, points }) => `${method} from ${points[0]?.y.toFixed(1)} to ${points.at(-1)?.y.toFixed(1)}`)
    .join("; ");
  const dots = colored.flatMap(({ points, color }) => points.map((point) => ({ ...point, color })));
  return draw(title, `${description}.`, {
    height,
    marginLeft: 40,
    marginRight: ROOM,
    marginTop,
    marginBottom,
    y: { domain: [...domain], label: null },
    marks: [
      gridY({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 5 }),
      axisY({ ticks: 5, tickSize: 0, fill: COLORS.muted }),
      axisX({ ticks: 5, tickSize: 3, label: xLabel, labelArrow: "none", labelAnchor: "center", fill: COLORS.muted }),
      ...colored.map(({ points, color }) => line([...points], { x: "x", y: "y", stroke: color, strokeWidth: 1.8 })),
      dot(dots, { x: "x", y: "y", r: 2, fill: "color" }),
      text(
        colored.map(({ method, color }, at) => ({ method: fit(method, ROOM - 8), color, x: last, y: placed[at] ?? 0 })),
        { x: "x", y: "y", text: "method", dx: 8, textAnchor: "start", fill: "color", fontWeight: 600 },
      ),
    ],
  });
}

export interface SheetRow {
  readonly name: string;
  /** One per method; absent where it was not measured. */
  readonly scores: readonly (number | undefined)[];
}

/** Scores as numbers on tints, a row per condition and a column per method. */
export function drawStressSheet(title: string, methods: readonly string[], rows: readonly SheetRow[]): Drawing {
  const room = labelRoom(
    rows.map(({ name }) => name),
    150,
  );
  const step = Math.max(44, Math.min(84, (WIDTH - room) / Math.max(1, methods.length)));
  const all = rows.flatMap(({ scores }) => scores.flatMap((score) => score ?? []));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const cells = rows.flatMap(({ scores }, row) =>
    scores.flatMap((score, column) =>
      score === undefined
        ? []
        : [
            {
              row: String(row),
              column: String(column),
              score: score.toFixed(1),
              share: (score - low) / (high - low || 1),
            },
          ],
    ),
  );
  const best = rows
    .map(({ name, scores }) => `${name}: ${scores.map((score) => score?.toFixed(1) ?? "–").join(", ")}`)
    .join("; ");
  return draw(title, `Columns are ${methods.join(", ")}. ${best}.`, {
    width: Math.ceil(room + step * methods.length + 4),
    height: rows.length * 24 + 26,
    marginLeft: room,
    marginRight: 4,
    marginTop: 22,
    marginBottom: 4,
    x: { type: "band", domain: methods.map((_, at) => String(at)), padding: 0, label: null },
    y: { type: "band", domain: rows.map((_, at) => String(at)), padding: 0, label: null },
    marks: [
      axisX({
        anchor: "top",
        tickSize: 0,
        tickFormat: (at: string) => fit(methods[Number(at)] ?? "", step + 8),
        fill: COLORS.ink,
      }),
      axisY({ tickSize: 0, tickFormat: (at: string) => fit(rows[Number(at)]?.name ?? "", room), fill: COLORS.ink }),
      cell(cells, {
        x: "column",
        y: "row",
        inset: 1,
        fill: COLORS.fill,
        fillOpacity: (each: { share: number }) => 0.04 + 0.56 * each.share,
      }),
      text(cells, { x: "column", y: "row", text: "score", fill: COLORS.ink, fontVariant: "tabular-nums" }),
    ],
  });
}
