// A picture as a file of its own: with its title, and with the light colours of the page.
import { readFileSync } from "node:fs";
import { escapeHtml } from "../formats/markup.ts";
import type { Drawing } from "./draw.ts";

export function standaloneSvg({ title, description, svg }: Drawing): string {
  const head = `<title>${escapeHtml(title)}</title><desc>${escapeHtml(description)}</desc><style>${pageColors()}
svg { color: var(--ink); font-family: system-ui, sans-serif; } text { white-space: pre; }</style>`;
  const namespaced = svg.replace(/^<svg /, '<svg xmlns="http://www.w3.org/2000/svg" ');
  return `${namespaced.replace(/^<svg [^>]*>/, (opening) => `${opening}${head}`)}\n`;
}

/** The colour variables of the page, light ones only: a figure of a paper is printed on white. */
function pageColors(): string {
  const css = readFileSync(new URL("../html/page.css", import.meta.url), "utf8");
  const [light = ""] = /:root \{[^}]*\}/.exec(css) ?? [];
  return light.replace(":root", "svg");
}
