// A made-up study: two datasets, three models, three seeds. Scores follow from the choices by arithmetic.
import type { Task } from "@merclab/core";
import type { ResolvedConfig, TrialResult, TrialSpec } from "@merclab/runner";
import type { Planned } from "../src/index.ts";

export type Cell = TrialSpec["cell"];

export interface TrialOptions {
  readonly seed?: number;
  readonly id?: string;
  readonly experiment?: string;
  readonly title?: string;
  readonly source?: "real" | "synthetic";
  readonly fingerprint?: string;
  readonly engine?: string;
  readonly trainer?: Readonly<Record<string, unknown>>;
  readonly parameters?: number;
  readonly task?: Task;
}

export interface ResultOptions {
  readonly valid?: Readonly<Record<string, number>>;
  readonly best?: Readonly<Record<string, number>>;
  readonly seconds?: number;
  readonly versions?: Readonly<Record<string, string>>;
}

export function createSpec(cell: Cell, options: TrialOptions = {}): TrialSpec {
  const { seed = 1, experiment = "sdt-vs-lmam", title = "SDT against LMAM, one protocol" } = options;
  const dataset = String(cell.dataset ?? "iemocap");
  const fusion = String(cell.fusion ?? "sdt");
  const config: ResolvedConfig = {
    dataset: { name: dataset, options: {} },
    encoder: { name: "sdt", options: { dim: 64 } },
    fusion: { name: fusion, options: fusion === "lmam" ? { rank: cell["fusion.lmam.rank"] ?? 4 } : {} },
    objective: { name: "cross-entropy", options: {} },
    balancer: { name: "none", options: {} },
    optimizer: { name: "adam", options: { lr: cell["optimizer.lr"] ?? 0.001 } },
    trainer: { name: "small", options: { epochs: 10, ...options.trainer } },
    engine: { name: options.engine ?? "wasm", options: {} },
  };
  const total = options.parameters ?? 1_000_000 + 1000 * Number(cell["fusion.lmam.rank"] ?? 0);
  return {
    schema: 1,
    id: options.id ?? `${Object.values(cell).join("-")}-seed${seed}`,
    experiment,
    title,
    cell,
    config,
    seed,
    data: { fingerprint: options.fingerprint ?? `data-${dataset}`, source: options.source ?? "real" },
    parameters: { total, trainable: total },
    ...(options.task === undefined ? {} : { task: options.task }),
  };
}

export function createResult(spec: TrialSpec, options: ResultOptions = {}): TrialResult {
  const valid = options.valid ?? { "weighted-f1": 0.7, accuracy: 0.71 };
  const best = options.best ?? valid;
  const score = (epoch: number, metrics: Readonly<Record<string, number>>) => ({
    epoch,
    metrics,
    perClass: [],
    confusion: [],
  });
  return {
    schema: 1,
    id: spec.id,
    seed: spec.seed,
    dataset: spec.config.dataset.name,
    classes: ["happy", "sad"],
    epochs: 10,
    selection: { metric: "weighted-f1", epoch: 4, valid },
    test: { validSelected: score(4, valid), maxTest: score(7, best) },
    seal: { openedAt: "2026-01-01T00:00:00.000Z", reason: "scoring" },
    seconds: options.seconds ?? 12.5,
    threads: 1,
    parameters: spec.parameters,
    versions: options.versions ?? { merclab: "0.1.0" },
  };
}

export const MODELS: readonly Cell[] = [
  { fusion: "sdt" },
  { fusion: "lmam", "fusion.lmam.rank": 4 },
  { fusion: "lmam", "fusion.lmam.rank": 16 },
];

/** 18 trials with results. */
export function createStudy(options: TrialOptions = {}): Planned[] {
  return ["iemocap", "meld"].flatMap((dataset, place) =>
    MODELS.flatMap((model, index) =>
      [1, 2, 3].map((seed): Planned => {
        const spec = createSpec({ dataset, ...model }, { ...options, seed });
        const noise = ((seed * 37 + index * 11 + place * 5) % 13) / 1000;
        const f1 = 0.72 - 0.08 * place + 0.006 * index + noise;
        const gain = 0.01 + 0.004 * place + ((seed * 7 + index) % 5) / 1000;
        return {
          spec,
          result: createResult(spec, {
            valid: { "weighted-f1": f1, accuracy: f1 + 0.004 },
            best: { "weighted-f1": f1 + gain, accuracy: f1 + gain + 0.003 },
            seconds: 60 + 30 * index + 25 * place + seed,
          }),
        };
      }),
    ),
  );
}
