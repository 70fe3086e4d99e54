// What `exp diff` prints, and its CSV.
import {
  type FlipCount,
  type MethodComparison,
  marginOf,
  type NearCount,
  type Nearness,
  type ScoreComparison,
  type SpokenUtterance,
  scoreHead,
} from "@merclab/report";
import { stringify } from "csv-stringify/sync";
import pc from "picocolors";
import { columns } from "./output.ts";

/** In a terminal; the rest is in --csv. */
const MOST_LISTED = 20;

export function comparisonText(comparison: MethodComparison): string {
  const { dataset, names, pairs, config, scores, flips, nearness } = comparison;
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
    ...(nearness === undefined ? [] : nearLines(nearness)),
    ...(flips === undefined
      ? nearness === undefined
        ? ["The predictions are not stored: no flips."]
        : []
      : [
          ...(nearness === undefined ? [] : ["The sign of the score, as binary accuracy without zero has it:"]),
          ...flipLines(comparison, flips),
        ]),
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
  const { overDialogues, nearness } = comparison;
  const { total, test, flipped } = flips;
  const parts: [string, readonly FlipCount[] | undefined][] = [
    [nearness === undefined ? "by class" : "by side of the label", flips.byClass],
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

function nearLines({ utterances, pairs, total, bySide, bySpeaker, byTurn, ranked }: Nearness): string[] {
  const parts: [string, readonly NearCount[] | undefined][] = [
    ["by side of the label", bySide],
    ["by speaker", bySpeaker?.slice(0, 10)],
    ["by turn", byTurn],
  ];
  return [
    `${utterances} test utterances${pairs === 1 ? "" : `, each counted once per seed (${pairs})`}: ` +
      `first nearer to the label ${total.firstNearer}, second nearer ${total.secondNearer}`,
    "",
    ...parts.flatMap(([what, counts]) => (counts === undefined ? [] : [nearTable(what, counts), ""])),
    "largest margins, error of second minus error of first (mean over seeds)",
    columns([
      ["dialogue", "utterance", "turn", "label", "first", "second", "margin"],
      ...ranked
        .slice(0, MOST_LISTED)
        .map(({ dialogue, utterance, turn, label, first, second, margin }) => [
          dialogue,
          utterance,
          String(turn),
          label.toFixed(2),
          first.map((score) => score.toFixed(2)).join(" "),
          second.map((score) => score.toFixed(2)).join(" "),
          `${margin > 0 ? "+" : ""}${margin.toFixed(2)}`,
        ]),
    ]),
    ...(ranked.length > MOST_LISTED ? [`… and ${ranked.length - MOST_LISTED} more (--csv FILE)`] : []),
    "",
  ];
}

function nearTable(what: string, counts: readonly NearCount[]): string {
  return columns([
    [what, "n", "first nearer", "second nearer", "error of first", "error of second"],
    ...counts.map(({ name, utterances, firstNearer, secondNearer, firstError, secondError }) => [
      name,
      ...[utterances, firstNearer, secondNearer].map(String),
      firstError.toFixed(3),
      secondError.toFixed(3),
    ]),
  ]);
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

/**
 * One line per utterance, data set and pair of runs on which they differ. Of scores these are nearly all: `label`, `first`
 * and `second` are scores then, `margin` is the error of the second minus that of the first, and `right` tells which one
 * alone has the sign right.
 */
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
    "margin",
  ];
  const rows = comparisons.flatMap((comparison) => {
    const { dataset, names, pairs, flips, nearness } = comparison;
    if (nearness !== undefined) {
      return nearRows(comparison, nearness);
    }
    return (flips?.flipped ?? []).flatMap((each) =>
      pairs.flatMap(({ trials }, at) => {
        const [first = "", second = ""] = [each.first[at], each.second[at]];
        const [isFirst, isSecond] = [first === each.label, second === each.label];
        return isFirst === isSecond
          ? []
          : [
              [
                ...utteranceColumns(dataset, each),
                each.speakerShift ?? "",
                each.dialogueShift,
                ...names,
                ...trials,
                first,
                second,
                isFirst ? "first" : "second",
                "",
              ],
            ];
      }),
    );
  });
  return stringify([head, ...rows], { record_delimiter: "windows" });
}

interface Compared extends SpokenUtterance {
  readonly label: string | number;
}

function utteranceColumns(dataset: string, { dialogue, utterance, turn, speaker = "", label }: Compared) {
  return [dataset, dialogue, utterance, turn, speaker, label];
}

function nearRows({ dataset, names, pairs, flips }: MethodComparison, { ranked }: Nearness): (string | number)[][] {
  const key = ({ dialogue, utterance }: SpokenUtterance) => JSON.stringify([dialogue, utterance]);
  const flipped = new Map(flips?.flipped.map((each) => [key(each), each]));
  return ranked.flatMap((each) =>
    pairs.flatMap(({ trials }, at) => {
      const [first = Number.NaN, second = Number.NaN] = [each.first[at], each.second[at]];
      const margin = marginOf(each.label, first, second);
      const flip = flipped.get(key(each));
      const [isFirst, isSecond] = [flip?.first[at] === flip?.label, flip?.second[at] === flip?.label];
      return margin === 0
        ? []
        : [
            [
              ...utteranceColumns(dataset, each),
              flip?.speakerShift ?? "",
              flip?.dialogueShift ?? "",
              ...names,
              ...trials,
              first,
              second,
              isFirst === isSecond ? "" : isFirst ? "first" : "second",
              Number(margin.toFixed(6)),
            ],
          ];
    }),
  );
}
