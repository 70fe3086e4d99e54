// What `exp diff` prints, and its CSV.
import { type FlipCount, type MethodComparison, type ScoreComparison, scoreHead } from "@merclab/report";
import { stringify } from "csv-stringify/sync";
import pc from "picocolors";
import { columns } from "./output.ts";

/** In a terminal; the rest is in --csv. */
const MOST_LISTED = 20;

export function comparisonText(comparison: MethodComparison): string {
  const { dataset, names, pairs, config, scores, flips } = comparison;
  const [first, second] = names;
  const isSingle = pairs.length === 1;
  const head = isSingle
    ? `runs ${pairs[0]?.trials.join(" and ")}`
    : `${pairs.length} seeds of both: ${pairs.map(({ seeds }) => seeds[0]).join(", ")}`;
  const configRows = config.map(({ path, first: a, second: b }) => [path, a ?? "–", b ?? "–"]);
  return [
    `${pc.bold(`${first}  against  ${second}`)}  on ${dataset}`,
    head,
    "",
    ...(configRows.length === 0
      ? ["the configs are the same"]
      : [columns([["config", "first", "second"], ...configRows])]),
    "",
    columns([
      ["test, valid-selected", "first", "second", "difference", ...(isSingle ? [] : ["95 % over seeds", "p"])],
      ...scores.filter(({ difference }) => difference !== undefined).map((score) => scoreRow(score, isSingle)),
    ]),
    ...(isSingle ? [] : ["(paired t test over seeds, each for itself: not corrected for how many there are)"]),
    "",
    ...(flips === undefined
      ? ["Nothing is right or wrong here, or the predictions are not stored: no flips."]
      : flipLines(comparison, flips)),
  ].join("\n");
}

function scoreRow({ metric, first, second, difference = Number.NaN, overSeeds }: ScoreComparison, isSingle: boolean) {
  const digits = scoreHead(metric).endsWith("(%)") ? 2 : 3;
  const shown = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(digits));
  const spread = (sd: number | undefined) => (sd === undefined ? "" : ` ± ${sd.toFixed(digits)}`);
  // Differences that do not vary tell no error, so nothing follows from them.
  const isTested = overSeeds !== undefined && overSeeds.sd > 0;
  return [
    scoreHead(metric),
    `${shown(first.mean)}${spread(first.sd)}`,
    `${shown(second.mean)}${spread(second.sd)}`,
    `${difference > 0 ? "+" : ""}${shown(difference)}`,
    ...(isSingle
      ? []
      : isTested
        ? [`${shown(overSeeds.interval.low)} to ${shown(overSeeds.interval.high)}`, overSeeds.p.toPrecision(2)]
        : ["–", "–"]),
  ];
}

function flipLines(comparison: MethodComparison, flips: NonNullable<MethodComparison["flips"]>): string[] {
  const { overDialogues } = comparison;
  const { total, test, flipped } = flips;
  const parts: [string, readonly FlipCount[] | undefined][] = [
    ["by class", flips.byClass],
    ["by emotion before, same speaker", flips.bySpeakerShift],
    ["by emotion before, anybody", flips.byDialogueShift],
    ["by speaker", flips.bySpeaker?.slice(0, 10)],
    ["by turn", flips.byTurn],
  ];
  return [
    `${flips.utterances} test utterances${flips.pairs === 1 ? "" : `, each counted once per seed (${flips.pairs})`}: ` +
      `both right ${total.both}, only first ${total.onlyFirst}, only second ${total.onlySecond}, neither ${total.neither}`,
    ...(test === undefined
      ? []
      : [
          `McNemar's exact test of these two runs: p = ${test.p.toPrecision(2)} (about these runs, not about other seeds)`,
        ]),
    ...(overDialogues === undefined
      ? []
      : [
          `${scoreHead(overDialogues.metric)} over dialogues and seeds (paired bootstrap): difference ` +
            `${overDialogues.difference.toFixed(2)}, 95 % from ${overDialogues.interval.low.toFixed(2)} to ` +
            `${overDialogues.interval.high.toFixed(2)}, p = ${overDialogues.p.toPrecision(2)}`,
        ]),
    "",
    ...parts.flatMap(([what, counts]) => (counts === undefined ? [] : [countTable(what, counts), ""])),
    ...(flipped.length === 0 ? [] : [flippedTable(flips)]),
    ...(flipped.length > MOST_LISTED ? [`… and ${flipped.length - MOST_LISTED} more (--csv FILE)`] : []),
  ];
}

const SHIFT_WORDS: Readonly<Record<string, string>> = { shift: "another", same: "the same", opening: "none" };

function countTable(what: string, counts: readonly FlipCount[]): string {
  return columns([
    [what, "n", "both", "only first", "only second", "neither"],
    ...counts.map(({ name, utterances, both, onlyFirst, onlySecond, neither }) =>
      [SHIFT_WORDS[name] ?? name, utterances, both, onlyFirst, onlySecond, neither].map(String),
    ),
  ]);
}

function flippedTable({ flipped }: NonNullable<MethodComparison["flips"]>): string {
  return columns([
    ["dialogue", "utterance", "turn", "label", "first", "second"],
    ...flipped
      .slice(0, MOST_LISTED)
      .map(({ dialogue, utterance, turn, label, first, second }) => [
        dialogue,
        utterance,
        String(turn),
        label,
        first.join(" "),
        second.join(" "),
      ]),
  ]);
}

/** One line per utterance, data set and pair of runs on which they differ. */
export function flipsCsv(comparisons: readonly MethodComparison[]): string {
  const head = [
    "dataset",
    "dialogue",
    "utterance",
    "turn",
    "speaker",
    "label",
    "speaker_shift",
    "dialogue_shift",
    "first_method",
    "second_method",
    "first_trial",
    "second_trial",
    "first",
    "second",
    "right",
  ];
  const rows = comparisons.flatMap(({ dataset, names, pairs, flips }) =>
    (flips?.flipped ?? []).flatMap((each) =>
      pairs.flatMap(({ trials }, at) => {
        const [first = "", second = ""] = [each.first[at], each.second[at]];
        const [isFirst, isSecond] = [first === each.label, second === each.label];
        return isFirst === isSecond
          ? []
          : [
              [
                dataset,
                each.dialogue,
                each.utterance,
                each.turn,
                each.speaker ?? "",
                each.label,
                each.speakerShift ?? "",
                each.dialogueShift,
                ...names,
                ...trials,
                first,
                second,
                isFirst ? "first" : "second",
              ],
            ];
      }),
    ),
  );
  return stringify([head, ...rows], { record_delimiter: "windows" });
}
