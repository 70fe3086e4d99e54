// The report of a study: one page that holds everything it shows. Nothing in it depends on when it is written, so the
// same runs make the same bytes.
import { readFileSync } from "node:fs";
import { html, jsonMarkup, type Markup, trusted } from "../formats/markup.ts";
import type { StudyMaterial } from "../study/study-material.ts";
import type { Table } from "../tables/table.ts";
import { createGallery, type Picture, type Section } from "./blocks.ts";
import { curveSection } from "./curve-section.ts";
import { dialogueSection, type ShownSource } from "./dialogue-section.ts";
import { flipSection, type SpeakerSource } from "./flip-section.ts";
import { moment, provenanceSection } from "./provenance-section.ts";
import { classSection, confusionSection, costSection } from "./score-sections.ts";
import { shownBlock } from "./scores-of-block.ts";
import { stressSection } from "./stress-section.ts";
import { summarySentences, warnings } from "./summary.ts";
import { copiesOf, tableMarkup } from "./table.ts";

export interface ReportSources {
  readonly material: StudyMaterial;
  /** Of the same study. */
  readonly tables: readonly Table[];
  readonly speakersOf: SpeakerSource;
  readonly shownOf: ShownSource;
}

export interface Report {
  readonly html: string;
  readonly pictures: readonly Picture[];
}

/** @throws MerclabError `storage` for files of trials that cannot be read */
export async function createReport({ material, tables, speakersOf, shownOf }: ReportSources): Promise<Report> {
  const { study } = material;
  const gallery = createGallery();
  const blocks = material.blocks.map((block) => shownBlock(block, tables));
  const sections = [
    summarySection(material, tables),
    tablesSection(tables),
    classSection(blocks, gallery),
    confusionSection(blocks, gallery),
    await curveSection(blocks, gallery),
    await flipSection(blocks, gallery, speakersOf, study.experiment),
    await dialogueSection(blocks, gallery, speakersOf, shownOf),
    await stressSection(blocks, gallery, study.experiment),
    costSection(blocks, gallery),
    provenanceSection(material),
  ].filter((section) => section !== undefined);
  return { html: pageMarkup(material, tables, sections).markup, pictures: gallery.pictures };
}

function summarySection(material: StudyMaterial, tables: readonly Table[]): Section {
  const problems = warnings(material).map((warning) => html`<p class="warning">${warning}</p>`);
  const sentences = summarySentences(material, tables).map((sentence) => html`<li>${sentence}</li>`);
  return { id: "summary", title: "Summary", body: html`${problems}<div class="prose"><ul>${sentences}</ul></div>` };
}

function tablesSection(tables: readonly Table[]): Section | undefined {
  return tables.length === 0 ? undefined : { id: "tables", title: "Tables", body: html`${tables.map(tableMarkup)}` };
}

function pageMarkup({ study, trials }: StudyMaterial, tables: readonly Table[], sections: readonly Section[]): Markup {
  const done = trials.filter(({ result }) => result !== undefined);
  const last = done
    .map(({ result }) => result?.seal.openedAt ?? "")
    .sort()
    .at(-1);
  const state = done.length === trials.length ? `${trials.length} trials` : `${done.length} of ${trials.length} trials`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${study.title}</title>
<style>${asset("page.css")}</style>
</head>
<body>
<a class="skip" href="#summary">Skip to the summary</a>
<div class="page">
<header class="masthead"><h1>${study.title}</h1><p>Study <span class="mono">${study.experiment}</span>, ${state}${
    last === undefined ? "" : `, last result ${moment(last)}`
  }</p></header>
<div class="bar"><nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav><button type="button" id="theme" hidden></button></div>
<main>
${sections.map(
  ({
    id,
    title,
    body,
  }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>
`,
)}</main>
</div>
<script type="application/json" id="copies">${jsonMarkup(tables.map(copiesOf))}</script>
<script>${asset("page.js")}</script>
</body>
</html>
`;
}

/** A file beside this one, which is ours and not escaped. */
function asset(name: string): Markup {
  return trusted(readFileSync(new URL(name, import.meta.url), "utf8"));
}
