// The part of the flips that scores have: which of two methods is nearer to the label, where, and by how much.
import { html, type Markup } from "../formats/markup.ts";
import { drawFlipBars } from "../pictures/flip-bars.ts";
import type { MethodComparison } from "../predictions/compare-methods.ts";
import type { NearCount, Nearness } from "../predictions/nearness.ts";
import { figure, type Gallery, numbersTable, rounded } from "./blocks.ts";
import { barLegend, MOST_LISTED, MOST_SPEAKERS, utteranceTable } from "./flip-parts.ts";

export function nearMarkup(
  nearness: Nearness,
  { dataset, names }: MethodComparison,
  gallery: Gallery,
  experiment: string,
): Markup {
  const [first, second] = names;
  const { total, pairs, utterances, ranked } = nearness;
  const share = (count: number) => `${((100 * count) / Math.max(1, total.utterances)).toFixed(1)} %`;
  const parts: readonly (readonly [string, string, readonly NearCount[] | undefined])[] = [
    ["by side of the label", "side", nearness.bySide],
    ["by speaker", "speaker", nearness.bySpeaker?.slice(0, MOST_SPEAKERS)],
    ["by place in the dialogue", "turn", nearness.byTurn],
  ];
  const figures = parts.flatMap(([what, file, counts]) => {
    if (counts === undefined || counts.length === 0) {
      return [];
    }
    const bars = counts.map(({ name, firstNearer, secondNearer }) => ({
      name,
      onlyFirst: firstNearer,
      onlySecond: secondNearer,
    }));
    const drawing = drawFlipBars(what, bars, names, "nearer");
    return [
      figure(html`nearer, ${what}`, [gallery.add([dataset, "nearer", file], drawing)], nearTable(counts, names, what)),
    ];
  });
  return html`<p class="prose">Over ${pairs === 1 ? "one seed" : `${pairs} seeds`} of ${utterances.toLocaleString(
    "en-US",
  )} utterances, ${first} is nearer to the label in ${share(total.firstNearer)}, ${second} in ${share(
    total.secondNearer,
  )}; mean absolute errors are ${total.firstError.toFixed(3)} and ${total.secondError.toFixed(3)}.</p>
${barLegend("nearer", names)}
<div class="pictures">${figures}</div>
<details class="numbers"><summary>Utterances with the largest margins</summary>
${rankedTable(nearness, names)}
${
  ranked.length > MOST_LISTED
    ? html`<p class="note">The ${MOST_LISTED} with the largest margins; all: exp diff ${experiment} … --csv.</p>`
    : undefined
}</details>`;
}

function nearTable(counts: readonly NearCount[], [first, second]: readonly [string, string], what: string): Markup {
  return numbersTable(
    ["", "utterances", `nearer with ${first}`, `nearer with ${second}`, `error of ${first}`, `error of ${second}`],
    counts.map(({ name, utterances, firstNearer, secondNearer, firstError, secondError }) => [
      name,
      utterances,
      firstNearer,
      secondNearer,
      rounded(firstError, 3),
      rounded(secondError, 3),
    ]),
    `Nearer ${what}`,
  );
}

/** Predictions are means over seeds here: single ones are in the CSV. */
function rankedTable({ ranked }: Nearness, [first, second]: readonly [string, string]): Markup {
  const mean = (scores: readonly number[]) => rounded(scores.reduce((sum, score) => sum + score, 0) / scores.length);
  return utteranceTable(
    ranked,
    ["label", first, second, "nearer by"],
    (each) => [
      rounded(each.label),
      mean(each.first),
      mean(each.second),
      `${rounded(Math.abs(each.margin))} (${each.margin < 0 ? second : first})`,
    ],
    "Utterances with the largest margins",
  );
}
