// Results as text: one line per ratio with its target, then what else is known of each side.
import pc from "picocolors";
import { columns } from "../packages/cli/src/output.ts";
import { TOLERANCE } from "./agreement.ts";
import { QUIET } from "./load.ts";
import type { RowResult, SideResult } from "./results.ts";

export function resultsText(results: readonly RowResult[]): string {
  const header = ["row", "first", "second", "ratio", "95 % interval", "target", ""];
  const lines = results.flatMap((result) => [timeLine(result), ...memoryLine(result)]);
  const details = results.flatMap((result) => result.sides.map((side) => detailLine(result, side)));
  const detailHeader = ["row", "side", "utterances/s", "padding", "graphs", "compile each", "peak MiB", "phases"];
  return [
    columns([header, ...lines]),
    "",
    columns([detailHeader, ...details]),
    "",
    ...results.flatMap((result) => [noteLine(result), ...disturbedLine(result)]),
    "Ratio: first side ÷ second; smaller is faster for the first. Times are of one epoch or pass: the sum over its",
    "batches of the median over rounds. The interval is from drawing rounds anew.",
    ...results.flatMap(({ row, sides }) =>
      sides.flatMap(({ name, engine }) => (engine === undefined ? [] : [`${row}, ${name}: ${JSON.stringify(engine)}`])),
    ),
  ].join("\n");
}

function timeLine({ row, sides, ratio, interval, target, agreement }: RowResult): string[] {
  const [first = "–", second = agreement === undefined ? "no PyTorch" : "–"] = sides.map(
    ({ name, epochMs }) => `${name} ${seconds(epochMs)}`,
  );
  return [
    row,
    first,
    second,
    agreement?.agrees === false ? "disagree" : (ratio?.toFixed(3) ?? "–"),
    interval === undefined ? "–" : interval.map((end) => end.toFixed(3)).join(" – "),
    target?.toFixed(2) ?? "–",
    mark(ratio, target),
  ];
}

function memoryLine({ row, sides, memoryRatio, memoryTarget }: RowResult): string[][] {
  if (memoryTarget === undefined || sides.length === 0) {
    return [];
  }
  const cells = [0, 1].map((at) => {
    const side = sides[at];
    return side === undefined ? "–" : `${side.name} ${Math.round(side.peakMiB)} MiB`;
  });
  const ratio = memoryRatio?.toFixed(3) ?? "–";
  return [[`${row}-memory`, ...cells, ratio, "–", memoryTarget.toFixed(2), mark(memoryRatio, memoryTarget)]];
}

function mark(ratio: number | undefined, target: number | undefined): string {
  if (ratio === undefined || target === undefined) {
    return "";
  }
  return ratio <= target ? pc.green("✓") : pc.red("✗");
}

function detailLine({ row }: RowResult, side: SideResult): string[] {
  const { compileMs, phases } = side;
  const compileEach = compileMs.length === 0 ? 0 : compileMs.reduce((sum, ms) => sum + ms, 0) / compileMs.length;
  return [
    row,
    side.name,
    side.utterancesPerSecond.toFixed(1),
    `${percent(side.padding)}`,
    compileMs.length === 0 ? "–" : String(compileMs.length),
    compileMs.length === 0 ? "–" : seconds(compileEach),
    String(Math.round(side.peakMiB)),
    Object.entries(phases)
      .map(([phase, share]) => `${phase} ${percent(share)}`)
      .join(", "),
  ];
}

function noteLine(result: RowResult): string {
  const { row, batches, batchesInEpoch, rounds, batchSize, data, agreement } = result;
  const sample = batches === batchesInEpoch ? `all ${batches} batches` : `${batches} of ${batchesInEpoch} batches`;
  const agreed =
    agreement === undefined
      ? "nothing to compare with"
      : agreement.agrees
        ? `the sides agree to ${agreement.difference.toExponential(0)}`
        : `THE SIDES DISAGREE by ${agreement.difference.toExponential(1)} (${agreement.at}; ${TOLERANCE} is allowed)`;
  return `${row}: ${sample} of ${batchSize} dialogues, ${rounds} ${rounds === 1 ? "round" : "rounds"}; ${data}; ${agreed}.`;
}

/** Which of the two sides suffers more from others is not known beforehand, and often they do not suffer alike. */
function disturbedLine({ row, otherLoad, repeated }: RowResult): string[] {
  if (otherLoad > QUIET) {
    const warning = `${row}: other processes took ${percent(otherLoad)} of the CPU time: measure again when it is quiet.`;
    return [pc.yellow(warning)];
  }
  return repeated === 0 ? [] : [`${row}: ${repeated} steps were taken again, as other processes had disturbed them.`];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toPrecision(3)} s`;
}
