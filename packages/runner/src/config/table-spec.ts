// A table as an experiment declares it. Only zod and the metrics' names are needed, so that an experiment can be
// checked without anything that compiles or prints tables.
import { METRICS, type MetricName } from "@merclab/core";
import { z } from "zod";

/** The epoch that a score is read at, and the difference of the two. */
export const SCORE_KINDS = ["valid-selected", "max-test", "optimism"] as const;
export type ScoreKind = (typeof SCORE_KINDS)[number];

/** What stands beside the scores; `flops` are those of a forward pass per utterance of the standard batch. */
export const DETAIL_KINDS = ["n", "parameters", "flops", "seconds"] as const;
export type DetailKind = (typeof DETAIL_KINDS)[number];

/** How two rows are compared: over seeds, over dialogues and seeds, by quantiles over seeds, or on single runs. */
export const PAIR_TESTS = ["paired-t", "dialogue-bootstrap", "stochastic-order", "mcnemar"] as const;
export type PairTestName = (typeof PAIR_TESTS)[number];

/** What can stand for each class or label. */
export const CLASS_SCORES = ["f1", "precision", "recall", "support"] as const;
export type ClassScoreName = (typeof CLASS_SCORES)[number];

const metricNames = Object.keys(METRICS) as [MetricName, ...MetricName[]];
const axis = z.string().min(1);
const axes = z.union([axis, z.array(axis)]).transform((value) => (typeof value === "string" ? [value] : value));

const axisValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const axisValues = z
  .union([axisValue, z.array(axisValue).min(1)])
  .transform((value): readonly (typeof axisValue)["_output"][] => (Array.isArray(value) ? value : [value]));

/** Numbers that somebody else printed, for the cells of a table. */
const published = z
  .strictObject({
    /** Where they are printed; absent where none is known. */
    source: z.string().min(1).optional(),
    /** Which epoch they are of. */
    selection: z.enum(["test", "validation", "unknown"]).default("unknown"),
    /** Widths of the features that they were made with: data set, modality, width. */
    features: z.record(z.string(), z.record(z.string(), z.int().positive())).default({}),
    /** Why cells have no number. */
    lacking: z.string().min(1).default("not found in a source that could be read"),
    values: z
      .array(
        z
          .strictObject({
            /** The choices of the cell; those that no trial makes are rows or columns of their own. */
            at: z.record(z.string(), axisValue),
            /** In place of the source of all. */
            source: z.string().min(1).optional(),
            /** What must be known beside these numbers. */
            note: z.string().min(1).optional(),
            ...(Object.fromEntries(metricNames.map((name) => [name, z.number().optional()])) as Record<
              MetricName,
              z.ZodOptional<z.ZodNumber>
            >),
          })
          .refine((value) => metricNames.some((name) => value[name] !== undefined), "names no number of any metric"),
      )
      .default([]),
  })
  .refine(({ source, values }) => values.every((value) => (value.source ?? source) !== undefined), {
    message: "a published number needs a source",
    path: ["source"],
  });

export type Published = z.output<typeof published>;

export const tableSpec = z
  .strictObject({
    title: z.string().min(1).optional(),
    /** The trials that the table is about, by their choices: `{ dataset: iemocap }`. All where absent. */
    only: z.record(z.string(), axisValues).optional(),
    /** How choices are called in print: `{ encoder: { sdt-inter: without intra-modal } }`. */
    labels: z.record(z.string(), z.record(z.string(), z.string())).optional(),
    /** Published numbers, each beside ours, with the difference: the result minus the published one. */
    published: published.optional(),
    /** Axes whose values make the lines, e.g. `fusion` or `[fusion, fusion.lmam.rank]`. */
    rows: axes.optional(),
    /** Axes whose values make the columns; `[]` puts everything into lines. Without it: dataset, unless rows has it. */
    columns: axes.optional(),
    /** Absent = the usual ones of each task. */
    metrics: z.array(z.enum(metricNames)).min(1).optional(),
    /** A column for each class or label, of the result alone and never compared: `[f1, support]`. */
    perClass: z.array(z.enum(CLASS_SCORES)).optional(),
    /** The result, valid-selected, always comes first; nothing replaces it. */
    show: z
      .array(z.enum(SCORE_KINDS))
      .refine((kinds) => kinds[0] === "valid-selected", "must begin with valid-selected, which is the result")
      .default(() => [...SCORE_KINDS]),
    /** After ±: the sample standard deviation over seeds (without it), or half of the mean's 95 % interval: Student's, or a percentile bootstrap's. */
    spread: z.enum(["sd", "interval", "bootstrap"]).optional(),
    compare: z
      .strictObject({
        test: z.enum(PAIR_TESTS).default("paired-t"),
        /** The difference, as printed, that counts as none, e.g. `{ weighted-f1: 0.5 }`. */
        margin: z.partialRecord(z.enum(metricNames), z.number().positive()).optional(),
        /** How often is drawn, where a test draws. */
        resamples: z.int().min(100).max(100_000).optional(),
      })
      .refine(({ test, margin }) => margin === undefined || test === "paired-t" || test === "dialogue-bootstrap", {
        message: "a margin needs the test paired-t or dialogue-bootstrap",
        path: ["margin"],
      })
      .refine(
        ({ test, resamples }) =>
          resamples === undefined || test === "dialogue-bootstrap" || test === "stochastic-order",
        { message: "only dialogue-bootstrap and stochastic-order draw", path: ["resamples"] },
      )
      .optional(),
    details: z.array(z.enum(DETAIL_KINDS)).default((): DetailKind[] => ["n", "parameters", "seconds"]),
  })
  .refine((spec) => !spec.rows?.some((row) => spec.columns?.includes(row)), {
    message: "an axis can be in rows or in columns, not in both",
    path: ["columns"],
  })
  .refine((spec) => namesShown(spec.compare?.margin ?? {}, spec.metrics), {
    message: "a margin belongs to a metric that the table shows",
    path: ["compare", "margin"],
  })
  .refine(
    (spec) =>
      [spec.rows ?? [], spec.columns ?? [], spec.metrics ?? [], spec.show, spec.details, spec.perClass ?? []].every(
        areDistinct,
      ),
    {
      message: "rows, columns, metrics, show, details and perClass name each thing once",
    },
  );

export type TableSpec = z.output<typeof tableSpec>;
/** As written in YAML. */
export type TableSpecInput = z.input<typeof tableSpec>;

/** For an experiment that declares no table: a line per dataset and model, everything shown. */
export const DEFAULT_TABLE: TableSpec = tableSpec.parse({ columns: [] } satisfies TableSpecInput);

/** Where no metrics are named, which ones are shown depends on the task. */
function namesShown(margin: Readonly<Partial<Record<MetricName, number>>>, metrics: readonly MetricName[] | undefined) {
  return metrics === undefined || Object.keys(margin).every((name) => metrics.some((metric) => metric === name));
}

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
