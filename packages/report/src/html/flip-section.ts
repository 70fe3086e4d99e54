// Flips between the two methods with the best means: the same that `exp diff` prints.
import { html, type Markup } from "../formats/markup.ts";
import { drawFlipBars } from "../pictures/flip-bars.ts";
import { compareMethods, type MethodComparison, pairBySeed, scoreHead } from "../predictions/compare-methods.ts";
import type { FlipCount, Flips, Speakers } from "../predictions/flips.ts";
import type { Method, StudyTrial } from "../study/study-material.ts";
import { figure, type Gallery, numbersTable, rounded, type Section, tabs } from "./blocks.ts";
import { barLegend, MOST_LISTED, MOST_SPEAKERS, utteranceTable } from "./flip-parts.ts";
import { nearMarkup } from "./near-markup.ts";
import type { ShownBlock } from "./scores-of-block.ts";

/** Who spoke in the test part that a trial was scored on; undefined where its data are not to be had. */
export type SpeakerSource = (trial: StudyTrial) => Promise<Speakers | undefined>;

export async function flipSection(
  blocks: readonly ShownBlock[],
  gallery: Gallery,
  speakersOf: SpeakerSource,
  experiment: string,
): Promise<Section | undefined> {
  const panels = await Promise.all(
    blocks
      .filter(({ ranked }) => ranked.length > 1)
      .map(async (block) => ({ label: block.dataset, body: await flipPanel(block, gallery, speakersOf, experiment) })),
  );
  return panels.length === 0
    ? undefined
    : {
        id: "flips",
        title: "Flips",
        body: html`<p class="lead">The two methods with the best means side by side: test utterances that one has right and the other wrong, seed by seed; of scores, which one is nearer to the label, and whose sign is right. An emotion shift is an utterance whose label differs from that of the same speaker's utterance before it. Counts add up over seeds.</p>${tabs("Data set", panels)}`,
      };
}

async function flipPanel(
  block: ShownBlock,
  gallery: Gallery,
  speakersOf: SpeakerSource,
  experiment: string,
): Promise<Markup> {
  const [first, second] = block.ranked as [Method, Method];
  const pairs = pairBySeed(first, second);
  const names = [first.label, second.label] as const;
  const speakers = pairs[0] === undefined ? undefined : await speakersOf(pairs[0][0]);
  const comparison = await compareMethods({ dataset: block.dataset, task: block.task, names, pairs, speakers });
  const { flips, nearness } = comparison;
  if (flips === undefined && nearness === undefined) {
    return html`<p class="note">${first.label} and ${second.label} have no seed in common with stored predictions.</p>`;
  }
  const near = nearness === undefined ? undefined : nearMarkup(nearness, comparison, gallery, experiment);
  const sides =
    flips === undefined || nearness === undefined
      ? undefined
      : html`<p class="prose">By the sign of the score, as binary accuracy without zero has it (labels of zero are left out):</p>`;
  return html`${near}${sides}${flips === undefined ? undefined : flipMarkup(flips, comparison, gallery, experiment)}`;
}

function flipMarkup(
  flips: Flips,
  { dataset, names, overDialogues, nearness }: MethodComparison,
  gallery: Gallery,
  experiment: string,
): Markup {
  const [first, second] = names;
  const { total } = flips;
  const share = (count: number) => `${((100 * count) / Math.max(1, total.utterances)).toFixed(1)} %`;
  const parts: readonly (readonly [string, string, readonly FlipCount[] | undefined])[] = [
    [nearness === undefined ? "by class" : "by side of the label", "class", flips.byClass],
    ["at emotion shifts of a speaker", "shift", shiftNames(flips.bySpeakerShift)],
    ["at shifts of the dialogue", "dialogue-shift", shiftNames(flips.byDialogueShift)],
    ["by speaker", "speaker", flips.bySpeaker?.slice(0, MOST_SPEAKERS)],
    ["by place in the dialogue", "turn", flips.byTurn],
  ];
  const figures = parts.flatMap(([what, file, counts]) => {
    if (counts === undefined || counts.length === 0) {
      return [];
    }
    return [
      figure(
        html`${what} <span class="aside">${SAID[file]}</span>`,
        [gallery.add([dataset, "flips", file], drawFlipBars(what, counts, names))],
        countsTable(counts, names, what),
      ),
    ];
  });
  const test =
    flips.test === undefined
      ? ""
      : ` McNemar's exact test of these two runs: p = ${flips.test.p.toPrecision(2)}, which says nothing about other seeds.`;
  return html`<p class="prose">Over ${flips.pairs === 1 ? "one seed" : `${flips.pairs} seeds`} of ${flips.utterances.toLocaleString(
    "en-US",
  )} utterances, both are right in ${share(total.both)}, only ${first} in ${share(total.onlyFirst)}, only ${second} in ${share(
    total.onlySecond,
  )}, neither in ${share(total.neither)}.${test}${overDialoguesText(overDialogues, names)}</p>
${barLegend("right only", names)}
<div class="pictures">${figures}</div>
${
  flips.bySpeakerShift === undefined
    ? html`<p class="note caption">Who spoke is read from the data, which were not found: give their folder with --data to see flips by speaker and at a speaker's emotion shifts.</p>`
    : undefined
}
<details class="numbers"><summary>Utterances on which they differ (${flips.flipped.length.toLocaleString("en-US")})</summary>
${flippedTable(flips, names)}
${
  flips.flipped.length > MOST_LISTED
    ? html`<p class="note">The ${MOST_LISTED} on which they differ most; all: exp diff ${experiment} … --csv.</p>`
    : undefined
}</details>`;
}

/** What other dialogues and seeds would bring, in a sentence. */
function overDialoguesText(
  test: MethodComparison["overDialogues"],
  [first, second]: readonly [string, string],
): string {
  if (test === undefined) {
    return "";
  }
  const { difference, interval, p, metric } = test;
  return (
    ` Resampling dialogues and seeds together, ${first} minus ${second} is ${difference.toFixed(2)} in ${scoreHead(metric)}, ` +
    `95 % from ${interval.low.toFixed(2)} to ${interval.high.toFixed(2)} (p = ${p.toPrecision(2)}, too small rather than ` +
    `too large, since these two were picked by looking at the means).`
  );
}

const SAID: Readonly<Record<string, string>> = {
  class: "",
  shift: "the same speaker's utterance before",
  "dialogue-shift": "the utterance before, whoever spoke",
  speaker: "",
  turn: "utterances from the first",
};

/** In words that fit beside a bar. */
export function shiftNames(counts: readonly FlipCount[] | undefined): FlipCount[] | undefined {
  const words: Readonly<Record<string, string>> = {
    shift: "another emotion",
    same: "the same emotion",
    opening: "nothing before",
  };
  return counts?.map((count) => ({ ...count, name: words[count.name] ?? count.name }));
}

function countsTable(counts: readonly FlipCount[], [first, second]: readonly [string, string], what: string): Markup {
  return numbersTable(
    ["", "utterances", "both right", `only ${first}`, `only ${second}`, "neither", `${first} (%)`, `${second} (%)`],
    counts.map(({ name, utterances, both, onlyFirst, onlySecond, neither }) => [
      name,
      utterances,
      both,
      onlyFirst,
      onlySecond,
      neither,
      rounded((100 * (both + onlyFirst)) / utterances, 1),
      rounded((100 * (both + onlySecond)) / utterances, 1),
    ]),
    `Flips ${what}`,
  );
}

function flippedTable({ flipped, pairs }: Flips, [first, second]: readonly [string, string]): Markup {
  const said = (predictions: readonly string[]) => (pairs === 1 ? predictions[0] : countPredictions(predictions));
  return utteranceTable(
    flipped,
    ["label", first, second],
    (each) => [each.label, said(each.first), said(each.second)],
    "Utterances on which the methods differ",
  );
}

/** "sad ×2, angry" */
export function countPredictions(predictions: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const prediction of predictions) {
    counts.set(prediction, (counts.get(prediction) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => (count === 1 ? name : `${name} ×${count}`))
    .join(", ");
}
