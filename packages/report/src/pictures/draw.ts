// Observable Plot without a browser: it draws into a document of linkedom's, and the picture is its text. Colours are CSS
// variables, so that a picture follows the theme of the page that it stands in.
import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** Text of pictures, in pixels. */
export const FONT_SIZE = 11;

/** A picture that fits a telephone at its natural size. */
export const WIDTH = 336;

/** `var(--name)` of the page, or of a single file's own style. */
export const COLORS = {
  ink: "var(--ink)",
  muted: "var(--muted)",
  grid: "var(--grid)",
  paper: "var(--paper)",
  first: "var(--first)",
  second: "var(--second)",
  ghost: "var(--ghost)",
  fill: "var(--fill)",
} as const;

/** Of parts of one thing, e.g. modalities; told apart by every kind of colour vision. */
export const SERIES = [1, 2, 3, 4, 5, 6].map((place) => `var(--series-${place})`);

export interface Drawing {
  /** What it is, for who cannot see it. */
  readonly title: string;
  readonly description: string;
  readonly svg: string;
}

/** @throws Error where the library made no single picture of it, as it does for legends */
export function draw(title: string, description: string, options: PlotOptions): Drawing {
  const figure = plot({
    document,
    width: WIDTH,
    className: "plot",
    ariaLabel: title,
    ariaDescription: description,
    style: { fontSize: `${FONT_SIZE}px`, overflow: "visible" },
    ...options,
  }) as unknown as { readonly outerHTML: string };
  const svg = figure.outerHTML;
  if (!svg.startsWith("<svg")) {
    throw new Error(`picture "${title}" came out as ${svg.slice(0, 40)}`);
  }
  return { title, description, svg: shorten(svg) };
}

/** Without the library's style, which the page has once, and with coordinates to a tenth of a pixel. */
function shorten(svg: string): string {
  return svg
    .replace(/<style>[\s\S]*?<\/style>/, "")
    .replace(/<(?:path|g|text|rect|line|circle|tspan)\b[^>]*>/g, (tag) =>
      tag.replace(/ (?:d|transform|x|y|x1|x2|y1|y2|cx|cy|r|width|height|dx|dy)="[^"]*"/g, (attribute) =>
        attribute.replace(/-?\d+\.\d{2,}(?:e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(1)))),
      ),
    )
    .replace(/^<svg /, '<svg role="img" ');
}

/** Room for labels left of an axis, in pixels: text is measured by its length. */
export function labelRoom(labels: readonly string[], most = 130): number {
  const longest = Math.max(0, ...labels.map((label) => label.length));
  return Math.min(most, Math.ceil(longest * FONT_SIZE * 0.56) + 14);
}

/** Text that fits into `room` pixels. */
export function fit(label: string, room: number): string {
  const most = Math.max(3, Math.floor((room - 10) / (FONT_SIZE * 0.56)));
  return label.length <= most ? label : `${label.slice(0, most - 1)}…`;
}
