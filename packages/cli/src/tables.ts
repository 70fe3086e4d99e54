// placeholder until report
import { readStudy, readTrials } from "@merclab/runner";
export async function compileTables(runs: string, experiment: string) {
  const study = await readStudy(runs, experiment);
  const trials = await readTrials(runs, experiment);
  return study.trials.map((spec) => {
    const r = trials.find((t) => t.spec.id === spec.id)?.result;
    return [
      JSON.stringify(spec.cell),
      spec.seed,
      r?.test.validSelected.metrics["weighted-f1"],
      r?.test.validSelected.metrics.accuracy,
      r?.test.maxTest.metrics["weighted-f1"],
      r?.seconds.toFixed(0),
    ].join(" ");
  });
}
export function tablesText(tables: string[], _f: string) {
  return tables.join("\n");
}
