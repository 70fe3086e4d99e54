// Measures rows one after the other: files for both sides, agreement, then times.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PluginRegistry } from "@merclab/core";
import { type Agreement, compareSides } from "./agreement.ts";
import { type MeasuredBatches, measuredBatches, utterancesOf } from "./batches.ts";
import { type Corpus, type CorpusName, loadCorpus } from "./corpus.ts";
import { measureSides, type Step } from "./measure.ts";
import type { Progress } from "./progress.ts";
import { type RowResult, rowResult } from "./results.ts";
import { writeRowFolder } from "./row-folder.ts";
import type { Row } from "./rows.ts";
import { ourSide, referenceSide, type SideKind } from "./side.ts";

export interface RunSettings {
  readonly rows: readonly Row[];
  readonly registry: PluginRegistry;
  readonly dataRoot: string | undefined;
  readonly engine: string;
  /** A Python with torch; undefined where there is none. */
  readonly python: string | undefined;
  readonly threads: number;
  /** In place of the rows' own numbers. */
  readonly batches: number | undefined;
  readonly rounds: number | undefined;
  /** Seconds that a row waits at most for a quiet machine. */
  readonly patience: number;
}

export interface PlannedRow {
  readonly row: Row;
  readonly corpus: Corpus;
  readonly measured: MeasuredBatches;
  readonly rounds: number;
  readonly patience: number;
  readonly kinds: readonly SideKind[];
}

export async function planRows(settings: RunSettings): Promise<PlannedRow[]> {
  const corpora = new Map<CorpusName, Corpus>();
  const planned: PlannedRow[] = [];
  for (const row of settings.rows) {
    const corpus = corpora.get(row.corpus) ?? (await loadCorpus(row.corpus, settings.registry, settings.dataRoot));
    corpora.set(row.corpus, corpus);
    const measured = measuredBatches(row, corpus, settings.batches ?? row.batches);
    const { rounds = row.rounds, patience } = settings;
    planned.push({ row, corpus, measured, rounds, patience, kinds: sidesOf(row, settings) });
  }
  return planned;
}

/** Work to expect of all rows, in the unit in which `runRows` tells progress. */
export function plannedWork(rows: readonly PlannedRow[]): number {
  return rows.reduce((sum, planned) => {
    const { row, measured, rounds, kinds } = planned;
    const round = measured.batches.reduce((work, batch) => work + stepWork(row, utterancesOf(batch)), 0);
    return sum + comparisonWork(planned) + round * (rounds + 1) * kinds.length;
  }, 0);
}

export async function runRows(
  rows: readonly PlannedRow[],
  { registry, threads }: RunSettings,
  progress: Progress,
): Promise<RowResult[]> {
  const root = mkdtempSync(join(tmpdir(), "merclab-bench-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const results: RowResult[] = [];
    for (const planned of rows) {
      const folder = join(root, planned.row.name);
      mkdirSync(folder);
      results.push(await runRow(planned, folder, threads, registry, progress));
      rmSync(folder, { recursive: true });
    }
    return results;
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

async function runRow(
  planned: PlannedRow,
  folder: string,
  threads: number,
  registry: PluginRegistry,
  progress: Progress,
): Promise<RowResult> {
  const { row, corpus, measured, rounds, patience, kinds } = planned;
  const { batches } = measured;
  progress.show(`${row.name}: writing batches`);
  writeRowFolder(folder, row, corpus, measured, threads, registry);
  let agreement: Agreement | undefined;
  if (kinds.length > 1) {
    progress.show(`${row.name}: do both sides compute the same?`);
    agreement = await compareSides(row, kinds, folder, batches.length);
    progress.advance(comparisonWork(planned));
  }
  if (agreement?.agrees === false) {
    return rowResult(row, corpus, measured, { sides: [], otherLoad: 0, repeated: 0 }, agreement);
  }
  const onStep = ({ round, batch }: Step) => {
    progress.advance(kinds.length * stepWork(row, utterancesOf(batches[batch] ?? [])));
    const phase = round === 0 ? "warm-up" : `round ${round}/${rounds}`;
    progress.show(`${row.name}: ${phase}, batch ${batch + 1}/${batches.length}`);
  };
  const times = await measureSides(row, kinds, folder, batches.length, rounds, patience, onStep);
  return rowResult(row, corpus, measured, times, agreement);
}

function sidesOf(row: Row, { engine, python, threads }: RunSettings): SideKind[] {
  if (row.sides === "wasm-and-onnx") {
    return [ourSide("wasm"), ourSide("onnx")];
  }
  return [ourSide(engine), ...(python === undefined ? [] : [referenceSide(python, threads)])];
}

/** Of two steps of each side, which compile as well, and of starting with large weights. */
function comparisonWork({ row, measured, kinds }: PlannedRow): number {
  const [batch = []] = measured.batches;
  return kinds.length < 2 ? 0 : 8 * stepWork(row, utterancesOf(batch));
}

/** Grows with the arithmetic of a step, from what it costs at least. */
function stepWork({ model, work }: Row, utterances: number): number {
  const dim = Number(model.encoder.options.dim);
  return (work === "train" ? 3 : 1) * utterances * dim * dim + 5e7;
}
