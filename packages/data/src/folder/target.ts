// What is predicted, as dataset.yaml says it under `labels`: classes by name, position or score, several labels at
// once, or a score.
import { type Labels, roundHalfToEven, type Task } from "@merclab/core";
import { z } from "zod";

const column = z.string().min(1);

/** Text of a table cell; YAML may have read it as a number or a truth value. */
const name = z.union([z.string().min(1), z.number(), z.boolean()]).transform(String);

const ascending = (values: readonly number[]): boolean =>
  values.every((value, at) => at === 0 || value > (values[at - 1] ?? value));

const range = z.tuple([z.number(), z.number()]).refine(ascending, "the smaller number comes first");

const singleLabel = z
  .strictObject({
    type: z.literal("single-label").optional(),
    column,
    /** What the column holds: class names, their positions in `classes`, or scores that are cut or rounded to classes. */
    as: z
      .union([
        z.enum(["name", "index"]),
        z.strictObject({
          /** n borders make n + 1 classes; a score at a border belongs to the class above it. */
          edges: z.array(z.number()).min(1, "needs at least one border").refine(ascending, "borders must ascend"),
        }),
        z.strictObject({
          /** One class per whole number of the range; scores beyond it are clipped, halves go to the even number. */
          rounded: z.tuple([z.int(), z.int()]).refine(ascending, "the smaller number comes first"),
        }),
      ])
      .default("name"),
    /** Scores make their own names where this is left out. */
    classes: z
      .array(name)
      .min(2, "needs at least two classes")
      .refine((classes) => new Set(classes).size === classes.length, "a class is listed twice")
      .optional(),
  })
  .transform(({ classes, ...rest }, context) => {
    const found = classes ?? (typeof rest.as === "string" ? undefined : scoreClasses(rest.as));
    const wanted = typeof rest.as === "string" ? undefined : scoreClasses(rest.as).length;
    if (found === undefined || (wanted !== undefined && found.length !== wanted)) {
      const message = found === undefined ? "missing: the list of classes" : `${wanted} classes need as many names`;
      context.addIssue({ code: "custom", path: ["classes"], message });
      return z.NEVER;
    }
    return { ...rest, type: "single-label" as const, classes: found };
  });

const multiLabel = z.strictObject({
  type: z.literal("multi-label"),
  /** One per label, each with 0 or 1, or an intensity where `above` is given. */
  columns: z
    .array(column)
    .min(1)
    .refine((columns) => new Set(columns).size === columns.length, "a column is listed twice"),
  /** A label holds where its column has more than this. */
  above: z.number().optional(),
  /** A label is predicted where its probability is at least this. */
  threshold: z.number().gt(0).lt(1).default(0.5),
});

const regression = z.strictObject({
  type: z.literal("regression"),
  column,
  /** Smallest and largest score there can be. */
  range,
});

export const targetSchema = z.discriminatedUnion("type", [singleLabel, multiLabel, regression]);

/** A checked target with every default in it. */
export type Target = z.output<typeof targetSchema>;

/** The task that a target makes. */
export function taskOfTarget(target: Target): Task {
  switch (target.type) {
    case "single-label":
      return { type: "single-label", classes: target.classes };
    case "multi-label":
      return { type: "multi-label", labels: target.columns, threshold: target.threshold };
    case "regression":
      return { type: "regression", range: target.range };
  }
}

/** Columns of the table that a target reads. */
export function targetColumns(target: Target): readonly string[] {
  return target.type === "multi-label" ? target.columns : [target.column];
}

/** "below 0", "0 to 1", "from 1": names of the classes that borders make. */
export function edgeClasses(edges: readonly number[]): string[] {
  return [`below ${edges[0]}`, ...edges.slice(1).map((edge, at) => `${edges[at]} to ${edge}`), `from ${edges.at(-1)}`];
}

/** Position of the class that a score belongs to. */
export function classOfScore(score: number, as: ScoreClasses): number {
  if ("edges" in as) {
    return as.edges.filter((edge) => score >= edge).length;
  }
  const [low, high] = as.rounded;
  return roundHalfToEven(Math.max(low, Math.min(high, score))) - low;
}

type ScoreClasses = { readonly edges: readonly number[] } | { readonly rounded: readonly [number, number] };

function scoreClasses(as: ScoreClasses): string[] {
  if ("edges" in as) {
    return edgeClasses(as.edges);
  }
  const [low, high] = as.rounded;
  return Array.from({ length: high - low + 1 }, (_, at) => String(low + at));
}

/** Labels end to end in the form of a task. @param values per utterance one number, or one per label */
export function toLabels(task: Task, values: readonly (readonly number[])[]): Labels {
  switch (task.type) {
    case "single-label":
      return Int32Array.from(values.flat());
    case "multi-label":
      return Uint8Array.from(values.flat());
    case "regression":
      return Float32Array.from(values.flat());
  }
}
