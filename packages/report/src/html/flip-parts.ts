// What the parts about two methods side by side have in common.
import { html, type Markup } from "../formats/markup.ts";
import type { SpokenUtterance } from "../predictions/flips.ts";
import { type NumberCell, numbersTable } from "./blocks.ts";

/** More are one line each in `exp diff --csv`. */
export const MOST_LISTED = 40;
/** MELD has hundreds of speakers. */
export const MOST_SPEAKERS = 8;

/** @param said what a bar counts: "right only" with a method, or "nearer" */
export function barLegend(said: string, [first, second]: readonly [string, string]): Markup {
  const key = (color: string) =>
    html`<svg width="12" height="12" aria-hidden="true"><rect width="12" height="12" fill="var(--${color})" fill-opacity="0.75"/></svg>`;
  return html`<p class="legend"><span>${key("first")}${said} with ${first}</span><span>${key("second")}${said} with ${second}</span></p>`;
}

/** @param cellsOf what stands in an utterance's row under `heads` */
export function utteranceTable<T extends SpokenUtterance>(
  utterances: readonly T[],
  heads: readonly string[],
  cellsOf: (each: T) => readonly NumberCell[],
  caption: string,
): Markup {
  const hasSpeakers = utterances.some(({ speaker }) => speaker !== undefined);
  const rows = utterances.slice(0, MOST_LISTED).map((each) => {
    const { dialogue, utterance, turn, speaker } = each;
    return [dialogue, utterance, turn, ...(hasSpeakers ? [speaker] : []), ...cellsOf(each)];
  });
  return numbersTable(["dialogue", "utterance", "turn", ...(hasSpeakers ? ["speaker"] : []), ...heads], rows, caption);
}
