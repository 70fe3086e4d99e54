// Observable Plot without a browser: it draws into a document of linkedom's, and the picture is its text. Colours are CSS
// variables, so that a picture follows the theme of the page that it stands in.
import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeHtml } from "../formats/markup.ts";

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
  }) as unknown as PlottedNode;
  if (figure.localName !== "svg") {
    throw new Error(`picture "${title}" came out as ${figure.localName}`);
  }
  return { title, description, svg: write(figure).replace(/^<svg/, '<svg role="img"') };
}

/** As much of the DOM as writing needs. */
interface PlottedNode {
  readonly nodeType: number;
  readonly localName: string;
  readonly textContent: string | null;
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
  readonly childNodes: Iterable<PlottedNode>;
}

const [ELEMENT, TEXT] = [1, 3];

/**
 * As XML, which is HTML too: with every special character escaped, coordinates to a tenth of a pixel, and without the
 * library's style, which the page has once.
 */
function write(node: PlottedNode): string {
  if (node.nodeType === TEXT) {
    return escapeHtml(node.textContent ?? "");
  }
  if (node.nodeType !== ELEMENT || node.localName === "style") {
    return "";
  }
  const attributes = [...node.attributes].map(({ name, value }) => ` ${name}="${attributeText(name, value)}"`).join("");
  const children = [...node.childNodes].map(write).join("");
  return children === ""
    ? `<${node.localName}${attributes}/>`
    : `<${node.localName}${attributes}>${children}</${node.localName}>`;
}

const COORDINATES: ReadonlySet<string> = new Set(
  "d transform x y x1 x2 y1 y2 cx cy r width height dx dy viewBox".split(" "),
);

function attributeText(name: string, value: string): string {
  return COORDINATES.has(name)
    ? value.replace(/-?\d+\.\d{2,}(?:e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(1))))
    : escapeHtml(value);
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
