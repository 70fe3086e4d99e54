// Pieces that sections are made of: pictures with the numbers behind them, tables of numbers, tabs.

import { type Content, html, type Markup, trusted } from "../formats/markup.ts";
import type { Drawing } from "../pictures/draw.ts";

export interface Section {
  readonly id: string;
  /** In the bar at the top. */
  readonly title: string;
  readonly body: Markup;
}

/** A picture of the page, which can also be written as a file of its own. */
export interface Picture {
  /** Unique, fit for a file: "iemocap-confusion-sdt". */
  readonly name: string;
  readonly drawing: Drawing;
}

/** Collects the pictures of a page while its sections are written. */
export interface Gallery {
  readonly pictures: readonly Picture[];
  add(words: readonly string[], drawing: Drawing): Markup;
}

export function createGallery(): Gallery {
  const pictures: Picture[] = [];
  const taken = new Map<string, number>();
  return {
    pictures,
    add: (words, drawing) => {
      const base = words.map(fileWord).join("-");
      const times = taken.get(base) ?? 0;
      taken.set(base, times + 1);
      pictures.push({ name: times === 0 ? base : `${base}-${times + 1}`, drawing });
      return trusted(drawing.svg);
    },
  };
}

function fileWord(word: string): string {
  const plain = word
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return plain === "" ? "x" : plain;
}

/** A cell of a table of numbers; columns of numbers stand on the right. */
export type NumberCell = string | number | undefined;

export function numbersTable(
  heads: readonly string[],
  rows: readonly (readonly NumberCell[])[],
  label: string,
): Markup {
  const isNumber = heads.map((_, at) =>
    rows.every((row) => row[at] === undefined || /^[-+]?\d+(?:[.,]\d+)*$/.test(String(row[at]))),
  );
  const right = (at: number) => (isNumber[at] === true ? html` class="number"` : undefined);
  // Closing tags of cells and rows may be left out, which makes a third of a long table.
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table class="plain"><thead><tr>${heads.map(
    (head, at) => html`<th scope="col"${right(at)}>${head}`,
  )}</thead><tbody>${rows.map((row) => html`<tr>${row.map((cell, at) => html`<td${right(at)}>${cell ?? "–"}`)}`)}</tbody></table></div>`;
}

/** @param numbers what the picture shows, as a table that opens below it */
export function figure(head: Content, pictures: readonly Markup[], numbers?: Markup): Markup {
  return html`<figure><figcaption><h4>${head}</h4></figcaption>${pictures}${
    numbers === undefined ? undefined : html`<details class="numbers"><summary>Numbers</summary>${numbers}</details>`
  }</figure>`;
}

/** One panel per label, of which the page shows one at a time; alone it needs no head. */
export function tabs(label: string, panels: readonly { readonly label: string; readonly body: Markup }[]): Markup {
  const [only] = panels;
  return html`<div class="tabs" data-label="${label}">${panels.map(
    ({ label: own, body }) =>
      html`<div class="panel" data-label="${own}"><h3 class="tab-title">${own}</h3>${body}</div>`,
  )}</div>${only === undefined ? html`<p class="note">Nothing to show yet.</p>` : undefined}`;
}

/** With as many digits as all of its column; what is no number as nothing. */
export function rounded(value: number | undefined, digits = 2): string | undefined {
  return value === undefined || !Number.isFinite(value) ? undefined : value.toFixed(digits);
}

/** "a", "a and b", "a, b and c" */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
