// What was measured of a row, in figures.
import type { Agreement } from "./agreement.ts";
import type { MeasuredBatches } from "./batches.ts";
import type { Corpus } from "./corpus.ts";
import type { Measured, SideTimes } from "./measure.ts";
import type { BatchAnswer } from "./protocol.ts";
import type { Row } from "./rows.ts";
import { batchMedians, bootstrapRatio, sumOfMedians, type Times } from "./statistics.ts";

export interface SideResult {
  readonly name: string;
  /** One epoch or pass: the sum of the medians of its batches, scaled up where they are a sample. */
  readonly epochMs: number;
  readonly batchMs: readonly number[];
  readonly utterancesPerSecond: number;
  /** Share of the rows that linear layers work on which are no real utterance. */
  readonly padding: number;
  readonly peakMiB: number;
  /** Per graph, the first run of its shape less the batch's median: what tracing and compiling took. */
  readonly compileMs: readonly number[];
  /** Shares of the time of the steps, by phase. */
  readonly phases: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly versions: Readonly<Record<string, string>>;
  /** The engine's own figures. */
  readonly engine?: unknown;
  /** Milliseconds, `[round][batch]`. */
  readonly times: Times;
  readonly warmUpMs: readonly number[];
}

export interface RowResult {
  readonly row: string;
  /** What is divided by what: "onnx ÷ PyTorch". */
  readonly compared: string;
  readonly data: string;
  readonly batchSize: number;
  readonly batches: number;
  readonly batchesInEpoch: number;
  readonly rounds: number;
  readonly sides: readonly SideResult[];
  /** Share of the machine's CPU time that other processes took during the steps that count, 0 to 1. */
  readonly otherLoad: number;
  /** Steps taken again because others had disturbed them. */
  readonly repeated: number;
  /** Absent where there is one side only, or where the sides disagree. */
  readonly ratio?: number;
  /** 95 % interval over rounds; absent where there are too few to tell. */
  readonly interval?: readonly [number, number];
  /** First side's peak resident memory ÷ the second's. */
  readonly memoryRatio?: number;
  readonly target?: number;
  readonly memoryTarget?: number;
  readonly agreement?: Agreement;
}

/** Rounds below which an interval would say more than is known. */
const FEWEST_ROUNDS = 3;

export function rowResult(
  row: Row,
  corpus: Corpus,
  { batches, inEpoch }: MeasuredBatches,
  { sides, otherLoad, repeated }: Measured,
  agreement: Agreement | undefined,
): RowResult {
  const [first, second] = sides;
  const results = sides.map((side) => sideResult(side, inEpoch / batches.length));
  const comparable = first !== undefined && second !== undefined && agreement?.agrees === true;
  return {
    row: row.name,
    compared: sides.map(({ name }) => name).join(" ÷ "),
    data: corpus.origin,
    batchSize: row.batchSize,
    batches: batches.length,
    batchesInEpoch: inEpoch,
    rounds: first?.times.length ?? 0,
    sides: results,
    otherLoad,
    repeated,
    ...(comparable
      ? {
          ratio: sumOfMedians(first.times) / sumOfMedians(second.times),
          ...(first.times.length >= FEWEST_ROUNDS ? { interval: bootstrapRatio(first.times, second.times) } : {}),
          memoryRatio: first.report.peakMiB / second.report.peakMiB,
        }
      : {}),
    ...(row.target === undefined ? {} : { target: row.target }),
    ...(row.memoryTarget === undefined ? {} : { memoryTarget: row.memoryTarget }),
    ...(agreement === undefined ? {} : { agreement }),
  };
}

function sideResult({ name, init, warmUp, times, phases, report }: SideTimes, scale: number): SideResult {
  const batchMs = batchMedians(times);
  const measuredMs = sumOfMedians(times);
  const utterances = warmUp.reduce((sum, batch) => sum + batch.utterances, 0);
  const places = warmUp.reduce((sum, batch) => sum + batch.places, 0);
  const stepMs = times.flat().reduce((sum, ms) => sum + ms, 0);
  return {
    name,
    epochMs: measuredMs * scale,
    batchMs,
    utterancesPerSecond: utterances / (measuredMs / 1000),
    padding: 1 - utterances / places,
    peakMiB: report.peakMiB,
    compileMs: report.compilesShapes === true ? compileTimes(warmUp, batchMs) : [],
    phases: Object.fromEntries(Object.entries(phases).map(([phase, ms]) => [phase, ms / stepMs])),
    parameters: init.parameters,
    versions: init.versions,
    ...(report.engine === undefined ? {} : { engine: report.engine }),
    times,
    warmUpMs: warmUp.map(({ ms }) => ms),
  };
}

/** The first batch of each shape waits for its graph. */
function compileTimes(warmUp: readonly BatchAnswer[], batchMs: readonly number[]): number[] {
  const first = new Map<string, number>();
  warmUp.forEach(({ shape, ms }, batch) => {
    if (!first.has(shape)) {
      first.set(shape, Math.max(0, ms - (batchMs[batch] ?? 0)));
    }
  });
  return [...first.values()];
}
