// Where every number comes from: trials, seeds, configs, data, engines, versions, and when the test labels were opened.
import { configHash } from "@merclab/runner";
import { html, type Markup } from "../formats/markup.ts";
import type { StudyMaterial } from "../study/study-material.ts";
import { codeStates } from "../tables/code-states.ts";
import { groupBy } from "../tables/group-by.ts";
import { listed, numbersTable, rounded, type Section } from "./blocks.ts";

export function provenanceSection({ study, trials, blocks }: StudyMaterial): Section {
  const results = trials.flatMap(({ result }) => result ?? []);
  const distinct = (values: readonly string[]) => [...new Set(values)].sort();
  const versions = distinct(
    results.flatMap((result) => Object.entries(result.versions).map(([name, version]) => `${name} ${version}`)),
  );
  const data = distinct(
    trials.map(
      ({ spec }) =>
        `${String(spec.cell.dataset ?? spec.config.dataset.name)} ${spec.data.fingerprint} (${spec.data.source})`,
    ),
  );
  const ends = results.map(({ seal }) => seal.openedAt).sort();
  const names = methodNames(blocks);
  const facts: readonly (readonly [string, Markup | string])[] = [
    ["Experiment", html`<span class="mono">${study.experiment}</span>`],
    ["Command", html`<code>${study.command}</code>`],
    ["Data, by hash", html`${data.map((each) => html`<div class="mono">${each}</div>`)}`],
    ["Engines", listed(distinct(trials.map(({ spec }) => spec.config.engine.name)))],
    ["Versions", versions.join(", ") || "no trial is done"],
    ["Code", html`${codeFacts(trials).map((each) => html`<div class="mono">${each}</div>`)}`],
    ["Seals opened", ends.length === 0 ? "none" : `${ends.length}, from ${moment(ends[0])} to ${moment(ends.at(-1))}`],
    ...study.notices.map((notice): [string, string] => ["Notice", notice]),
  ];
  const rows = trials.map(({ spec, result, status, environment }) => [
    spec.id,
    String(spec.cell.dataset ?? spec.config.dataset.name),
    names.get(spec.id) ?? "",
    spec.seed,
    result === undefined ? (status?.state ?? "planned") : "done",
    result?.selection.epoch,
    rounded(result?.seconds, 1),
    result?.threads,
    configHash(spec.config),
    result === undefined ? undefined : codeStates(environment).join(", "),
    result === undefined ? undefined : moment(result.seal.openedAt),
  ]);
  return {
    id: "provenance",
    title: "Provenance",
    body: html`<dl class="facts">${facts.map(([term, fact]) => html`<dt>${term}</dt><dd>${fact}</dd>`)}</dl>
<details class="printed" ${trials.length <= 60 ? html`open` : undefined}><summary>${trials.length === 1 ? "The trial" : `All ${trials.length} trials`}</summary>
${numbersTable(
  ["trial", "data set", "method", "seed", "state", "epoch", "seconds", "threads", "config", "code", "seal opened"],
  rows,
  "Trials",
)}</details>
<p class="note caption">The epoch is the one that validation chose. The config's hash leaves out seed and data. The code is the commit that a trial ran with, -dirty where tracked files differed from it. Everything about one trial: exp show TRIAL.</p>`,
  };
}

/** "merclab 1f2e3d4c5b6a (12 trials)", the most frequent first. */
function codeFacts(trials: StudyMaterial["trials"]): string[] {
  const done = trials.filter(({ result }) => result !== undefined);
  const groups = groupBy(done, ({ environment }) => codeStates(environment).join(", "));
  const facts = [...groups].sort(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1));
  return facts.length === 0
    ? ["no trial is done"]
    : facts.map(([state, { length }]) => `${state} (${length} ${length === 1 ? "trial" : "trials"})`);
}

function methodNames(blocks: StudyMaterial["blocks"]): Map<string, string> {
  return new Map(
    blocks.flatMap(({ methods }) =>
      methods.flatMap(({ label, trials }) => trials.map(({ spec }): [string, string] => [spec.id, label])),
    ),
  );
}

/** "2026-11-21 08:08 UTC" */
export function moment(timestamp: string | undefined): string {
  return timestamp === undefined ? "" : `${timestamp.slice(0, 16).replace("T", " ")} UTC`;
}
