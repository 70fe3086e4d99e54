// dataset.yaml: what a feature folder says about itself. Schema in, plain description out.
import { isAbsolute } from "node:path";
import { MerclabError, suggestName } from "@merclab/core";
import { z } from "zod";
import { type Target, targetSchema } from "./target.ts";

/** Standardised features beyond this many deviations are cut off. */
export const DEFAULT_CLIP = 10;

/** Text of a table cell; YAML may have read it as a number or a truth value. */
const cell = z.union([z.string().min(1), z.number(), z.boolean()]).transform(String);

const column = z.string().min(1);

/** A file of the folder; symbolic links are checked when it is opened. */
const file = z
  .string()
  .min(1)
  .refine(
    (path) => !isAbsolute(path) && !/^[\\/]|^[a-z]:/i.test(path),
    "must be relative to the folder of dataset.yaml",
  )
  .refine((path) => !path.split(/[\\/]/).includes(".."), 'must not leave the folder of dataset.yaml ("..")');

const filePerSplit = z.strictObject({ train: file, valid: file.optional(), test: file });

const cells = z.union([cell, z.array(cell).min(1)]).transform((value) => (Array.isArray(value) ? value : [value]));
const ids = z.array(cell).min(1);

const splits = z
  .strictObject({
    column: column.optional(),
    /** What the column holds for each part. */
    values: z.strictObject({ train: cells, valid: cells.optional(), test: cells }).optional(),
    /** Dialogue ids of each part, where no column tells. */
    dialogues: z.strictObject({ train: ids, valid: ids.optional(), test: ids }).optional(),
  })
  .refine(
    ({ column, dialogues }) => (column === undefined) !== (dialogues === undefined),
    'give either "column" or "dialogues"',
  )
  .refine(({ column, values }) => values === undefined || column !== undefined, '"values" needs "column"');

const validation = z.union([
  z.literal("official"),
  z.strictObject({ fraction: z.number().gt(0).lt(1).default(0.1), seed: z.int().nonnegative().default(0) }),
]);

const speakers = z
  .strictObject({
    column,
    /** Everybody who speaks in the corpus, in the order of their numbers. */
    values: z.array(cell).min(1).optional(),
    /** Numbers start anew in each dialogue, in order of first appearance; this many at most. */
    perDialogue: z.int().positive().optional(),
  })
  .refine(
    ({ values, perDialogue }) => (values === undefined) !== (perDialogue === undefined),
    'give either "values" (who speaks in the corpus) or "perDialogue" (at most how many in a dialogue)',
  );

const sessions = z
  .strictObject({
    column: column.optional(),
    /** Matched against dialogue ids; its first group is the session. */
    pattern: z
      .string()
      .refine((text) => isPattern(text), "must be a regular expression with one group, such as ^Ses(..)")
      .optional(),
  })
  .refine(
    ({ column, pattern }) => (column === undefined) !== (pattern === undefined),
    'give either "column" or "pattern"',
  );

const modality = z.strictObject({
  file: z.union([file, filePerSplit]),
  width: z.int().positive().optional(),
  /** Column that holds 1 where the modality was observed, 0 where not. */
  present: column.optional(),
  /** Utterances whose labels the extractor was trained on: parts, or values of a column. */
  fittedOn: z
    .union([
      z.strictObject({ parts: z.array(z.enum(["train", "valid", "test"])).min(1) }),
      z.strictObject({ column, values: z.array(cell).min(1) }),
    ])
    .optional(),
});

/** Where an imported folder came from, as `exp data import` writes it. */
const provenance = z.strictObject({
  sources: z.array(z.strictObject({ file: z.string(), bytes: z.int().nonnegative(), sha256: z.string() })),
  layout: z.string(),
  options: z.record(z.string(), z.string()),
  notes: z.array(z.string()),
});

const normalize = z.union([
  z.literal("none"),
  z.literal("standardize").transform((method) => ({ method, clip: DEFAULT_CLIP })),
  z.strictObject({ method: z.literal("standardize"), clip: z.number().positive().default(DEFAULT_CLIP) }),
]);

const fields = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, "a name has letters, digits, dots, dashes and underscores only"),
  /** One table, or one per part. */
  utterances: z.union([file, filePerSplit]),
  columns: z.strictObject({
    dialogue: column,
    order: column.optional(),
    utterance: column.optional(),
    text: column.optional(),
  }),
  /** What is predicted. */
  labels: targetSchema,
  /** What could be predicted instead, by name: the option `target` of a data set. */
  targets: z
    .record(z.string().regex(/^[A-Za-z0-9][\w-]*$/, "a target's name has letters, digits, _ and - only"), targetSchema)
    .optional(),
  splits: splits.optional(),
  validation: validation.optional(),
  speakers: speakers.optional(),
  /** Recordings with speakers of their own, for leave-one-session-out. */
  sessions: sessions.optional(),
  modalities: z
    .record(z.string().regex(/^[A-Za-z][\w-]*$/, "a modality's name has letters, digits, _ and - only"), modality)
    .default({}),
  provenance: provenance.optional(),
  /** SHA-256 of the folder's files; compared by `exp data check`. */
  checksums: z.record(file, z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 has 64 hex digits")).optional(),
  normalize: normalize.default({ method: "standardize", clip: DEFAULT_CLIP }),
});

export const folderSchema = fields.superRefine((description, context) => {
  const tablePerSplit = typeof description.utterances !== "string";
  const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
  if (tablePerSplit && description.splits !== undefined) {
    refuse(["splits"], 'the tables under "utterances" already tell the parts; remove one of the two');
  }
  if (!tablePerSplit && description.splits === undefined) {
    refuse(["utterances"], 'one table for all parts needs "splits": a column or lists of dialogues');
  }
  refuseOtherParts(description, refuse);
});

/**
 * What is read of a folder that is predicted on: labels and parts may be there, or wrong, or not; nobody looks at them.
 */
export const observedSchema = fields
  .extend({
    labels: z.unknown().optional(),
    targets: z.unknown().optional(),
    splits: z.unknown().optional(),
    validation: z.unknown().optional(),
  })
  .superRefine((description, context) =>
    refuseOtherParts(description, (path, message) => context.addIssue({ code: "custom", path, message })),
  )
  .transform(({ labels: _, targets: __, splits: ___, validation: ____, ...description }) => description);

function refuseOtherParts(
  { modalities, utterances }: Pick<z.output<typeof fields>, "modalities" | "utterances">,
  refuse: (path: string[], message: string) => void,
): void {
  for (const [name, { file }] of Object.entries(modalities)) {
    if (typeof file !== "string" && partNames(file) !== partNames(utterances)) {
      refuse(["modalities", name, "file"], 'the parts must be those of "utterances"');
    }
  }
}

/** A checked description with every default in it. */
export type FolderDescription = z.output<typeof folderSchema>;

/** A description of which labels may not be known. */
export type ObservedDescription = Omit<FolderDescription, "labels"> & Partial<Pick<FolderDescription, "labels">>;

export type ValidationRule = z.output<typeof validation>;

export type NormalizeRule = z.output<typeof normalize>;

/** Validation where nothing is said: the official part if there is one, else this. */
export const DEFAULT_VALIDATION = { fraction: 0.1, seed: 0 } as const;

/** Width of the speaker numbering: the corpus' speakers, the most in a dialogue, or one. */
export function numSpeakers({ speakers }: Pick<FolderDescription, "speakers">): number {
  return speakers?.values?.length ?? speakers?.perDialogue ?? 1;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(`${text}|`).exec("")?.length === 2;
  } catch {
    return false;
  }
}

function partNames(files: FolderDescription["utterances"]): string {
  return typeof files === "string" ? "" : Object.keys(files).sort().join();
}

/** A description whose `labels` are one of its targets; null = as they are. @throws MerclabError `config` */
export function withTarget(description: FolderDescription, name: string | null, where: string): FolderDescription {
  if (name === null) {
    return description;
  }
  const targets: Readonly<Record<string, Target>> = description.targets ?? {};
  const labels = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (labels === undefined) {
    throw new MerclabError("config", `dataset ${description.name} has no target "${name}"`, {
      where,
      hint: `${suggestName(name, Object.keys(targets))} Targets are described under "targets" in dataset.yaml.`,
    });
  }
  return { ...description, labels };
}
