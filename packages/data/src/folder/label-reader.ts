// Cells of a table to labels: each is checked, and what is wrong is counted with its first place.
import { suggestName } from "@merclab/core";
import { addTally, createTally, hit, type Problem, type Tally } from "./problems.ts";
import { classOfScore, type Target } from "./target.ts";

export interface LabelReader {
  /** One number, or one per label; zeros where a cell is wrong. */
  read(cell: (column: string) => string, where: string): readonly number[];
  /** Adds what was tallied to the problems. */
  finish(problems: Problem[]): void;
}

export function createLabelReader(target: Target): LabelReader {
  const bad = createTally();
  const read = cellReader(target, bad);
  return {
    read,
    finish: (problems) => addTally(problems, bad, "row", hintFor(target, bad)),
  };
}

function cellReader(target: Target, bad: Tally): LabelReader["read"] {
  switch (target.type) {
    case "multi-label":
      return (cell, where) => target.columns.map((column) => readHeld(cell(column), column, target.above, where, bad));
    case "regression":
      return (cell, where) => {
        const { column, range } = target;
        const score = readScore(cell(column), column, where, bad);
        if (score < range[0] || score > range[1]) {
          hit(bad, where, `score ${score} in column "${column}" is outside the range from ${range[0]} to ${range[1]}`);
        }
        return [score];
      };
    case "single-label":
      return (cell, where) => {
        const { as, column } = target;
        return typeof as === "object"
          ? [classOfScore(readScore(cell(column), column, where, bad), as)]
          : [readClass(cell(column), target, where, bad)];
      };
  }
}

function readClass(
  text: string,
  { as, column, classes }: Extract<Target, { type: "single-label" }>,
  where: string,
  bad: Tally,
): number {
  const label = as === "name" ? classes.indexOf(text) : toNumber(text);
  if (Number.isInteger(label) && label >= 0 && label < classes.length) {
    return label;
  }
  const unknown = `unknown label "${text}" in column "${column}". ${suggestName(text, classes)}`;
  hit(bad, where, as === "name" ? unknown : `label "${text}" is not one of 0 to ${classes.length - 1}`);
  return 0;
}

function readScore(text: string, column: string, where: string, bad: Tally): number {
  const score = toNumber(text);
  if (Number.isFinite(score)) {
    return score;
  }
  hit(
    bad,
    where,
    text.trim() === "" ? `no score in column "${column}"` : `"${text}" in column "${column}" is no score`,
  );
  return 0;
}

function readHeld(text: string, column: string, above: number | undefined, where: string, bad: Tally): 0 | 1 {
  const value = toNumber(text);
  if (above !== undefined && Number.isFinite(value)) {
    return value > above ? 1 : 0;
  }
  if (above === undefined && (value === 0 || value === 1)) {
    return value;
  }
  const expected = above === undefined ? "0 or 1" : "a number";
  hit(bad, where, `label "${column}" must be ${expected}, got "${text}"`);
  return 0;
}

function hintFor(target: Target, bad: Tally): string | undefined {
  const detail = bad.first?.detail ?? "";
  switch (target.type) {
    case "single-label":
      return target.as === "name" && /label "\d+"/.test(detail)
        ? 'If the column holds positions, write "as: index" under labels.'
        : undefined;
    case "multi-label":
      return target.above === undefined && /got "[\d.]+"/.test(detail)
        ? 'If the columns hold intensities, write "above: 0" under labels.'
        : undefined;
    case "regression":
      return /outside the range/.test(detail) ? 'Widen "range" under labels if such scores are right.' : undefined;
  }
}

export function toNumber(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}
