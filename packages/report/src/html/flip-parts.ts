// What the parts about two methods side by side have in common.
import { html, type Markup } from "../formats/markup.ts";

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
