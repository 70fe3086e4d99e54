// Tuples and lists whose positions have meanings: most files of the field. A layout is a row of a table: what lies at
// each position, which corpus it is, how wide its vectors are.

import type { Split } from "@merclab/core";
import { describeValue, NdArray, type PickleValue } from "@merclab/pickle";
import type { CorpusFacts } from "../corpora.ts";
import { type LabelKind, readDialogueDicts } from "../dialogue-dicts.ts";
import type { Layout } from "../layout.ts";
import { LayoutError } from "../layout-error.ts";
import { isDict, itemsOf, numbersOf, plainText, widthOf } from "../python-values.ts";
import { combineTextLayers, TEXT_LAYERS } from "../text-layers.ts";

/** What may lie at a position. Modalities are named as they will be; `-` is not used. */
export type Position =
  | "ids"
  | "speakers"
  | "labels"
  | "sentiments"
  | "sentences"
  | "train"
  | "valid"
  | "test"
  | "text"
  | "audio"
  | "visual"
  | (typeof TEXT_LAYERS)[number]
  | "-";

export interface PositionRules {
  readonly name: string;
  readonly summary: string;
  readonly positions: readonly Position[];
  readonly corpus: CorpusFacts;
  readonly labels?: LabelKind;
  /** Widths by which this layout is told from others of the same positions. */
  readonly widths?: Readonly<Record<string, number>>;
  /** Further marks: why a file with these positions is still another layout. */
  readonly unlike?: (fields: Fields) => string | undefined;
  readonly fittedOn?: Readonly<Record<string, readonly Split[]>>;
  readonly notes?: readonly string[];
}

export type Fields = Readonly<Partial<Record<Position, PickleValue>>>;

const MODALITIES: readonly Position[] = ["text", "audio", "visual", ...TEXT_LAYERS];
const LISTS: readonly Position[] = ["train", "valid", "test"];

export function positionLayout(rules: PositionRules): Layout {
  return {
    name: rules.name,
    summary: rules.summary,
    mismatch: ({ value }) => mismatch(value, rules),
    read({ value }, options) {
      const fields = fieldsOf(value as PickleValue[], rules.positions);
      const layers = TEXT_LAYERS.filter((name) => fields[name] !== undefined);
      const features: Record<string, PickleValue | undefined> = {};
      for (const name of MODALITIES) {
        if (fields[name] !== undefined) {
          features[name] = fields[name];
        }
      }
      const corpus = readDialogueDicts(
        { ...fields, labels: fields.labels, train: fields.train, test: fields.test, features },
        {
          corpus: rules.corpus,
          labels: rules.labels ?? "class",
          ...(rules.fittedOn === undefined ? {} : { fittedOn: rules.fittedOn }),
          ...(rules.notes === undefined ? {} : { notes: rules.notes }),
        },
      );
      return layers.length === 0 ? corpus : combineTextLayers(corpus, options.textLayers);
    },
  };
}

function fieldsOf(value: readonly PickleValue[], positions: readonly Position[]): Fields {
  const fields: Partial<Record<Position, PickleValue>> = {};
  positions.forEach((name, at) => {
    if (name !== "-") {
      fields[name] = value[at] as PickleValue;
    }
  });
  return fields;
}

function mismatch(
  value: PickleValue,
  { positions, widths, labels, corpus, unlike }: PositionRules,
): string | undefined {
  if (!Array.isArray(value)) {
    return `it is ${describeValue(value, 0)}, expected a tuple of ${positions.length}`;
  }
  if (value.length !== positions.length) {
    return `it has ${value.length} positions, expected ${positions.length}`;
  }
  const fields = fieldsOf(value, positions);
  for (const [at, name] of positions.entries()) {
    const item = value[at] as PickleValue;
    const list = LISTS.includes(name);
    if (name !== "-" && (list ? !isList(item) : !isDict(item))) {
      return `position ${at} (${name}) is ${describeValue(item, 0)}, expected a ${list ? "list or set" : "dict"}`;
    }
    if (MODALITIES.includes(name)) {
      const found = firstWidth(item);
      const expected = widths?.[name];
      if (found === undefined) {
        return `position ${at} (${name}) holds no vectors`;
      }
      if (expected !== undefined && found !== expected) {
        return `${name} has width ${found}, expected ${expected}`;
      }
    }
  }
  return labelMismatch(fields.labels, labels ?? "class", corpus) ?? unlike?.(fields);
}

function labelMismatch(
  value: PickleValue | undefined,
  kind: LabelKind,
  { classes, ids }: CorpusFacts,
): string | undefined {
  if (!isDict(value)) {
    return undefined;
  }
  const stray = [...value.keys()].find((key) => !ids.test(plainText(key)));
  if (stray !== undefined) {
    return `dialogue "${plainText(stray).slice(0, 40)}" is not named as in this corpus`;
  }
  try {
    for (const [id, list] of value) {
      for (const label of itemsOf(list, "labels")) {
        const numbers = numbersOf(Array.isArray(label) || label instanceof NdArray ? label : [label], "labels");
        const [first = Number.NaN] = numbers;
        const single = numbers.length === 1;
        const place = `of dialogue "${plainText(id)}"`;
        if (kind === "emotions" ? single : !single) {
          return `label ${place} is ${single ? "one number" : `${numbers.length} numbers`}`;
        }
        if (kind === "class" && !(Number.isInteger(first) && first >= 0 && first < classes.length)) {
          return `label ${first} ${place} is not one of 0 to ${classes.length - 1}`;
        }
        if (kind === "score" && !(Math.abs(first) <= 3)) {
          return `label ${first} ${place} is no score from -3 to 3`;
        }
      }
    }
  } catch (error) {
    if (error instanceof LayoutError) {
      return error.message;
    }
    throw error;
  }
  return undefined;
}

function isList(value: PickleValue): boolean {
  return Array.isArray(value) || value instanceof Set || (value instanceof NdArray && value.shape.length === 1);
}

/** Width of the first vector of a dict of dialogues. */
export function firstWidth(dict: PickleValue | undefined): number | undefined {
  if (!isDict(dict)) {
    return undefined;
  }
  for (const list of dict.values()) {
    if (list instanceof NdArray && list.shape.length === 2) {
      return list.shape[1];
    }
    const [vector] = Array.isArray(list)
      ? list
      : list instanceof NdArray && list.dtype.kind === "O"
        ? list.toValues()
        : [];
    if (vector !== undefined) {
      return widthOf(vector);
    }
  }
  return undefined;
}
