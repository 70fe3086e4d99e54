// Assignments are how everything is configured, in files and on the command line: `fusion: lmam` chooses,
// `fusion.dropout: 0.2` sets an option of whatever is chosen, `fusion.lmam.rank: 4` sets it where lmam is chosen.
import { MerclabError } from "@merclab/core";
import { parse } from "yaml";

export type AssignmentValue =
  | string
  | number
  | boolean
  | null
  | readonly AssignmentValue[]
  | { readonly [key: string]: AssignmentValue };

export interface Assignment {
  readonly key: string;
  readonly value: AssignmentValue;
  /** File and line, or the command-line argument. */
  readonly where: string | undefined;
}

/** An assignment with the values that a sweep goes through; one value is no sweep. */
export interface Axis {
  readonly key: string;
  readonly values: readonly AssignmentValue[];
  readonly where: string | undefined;
}

/**
 * Parses `key=value` or, for a sweep, `key=a,b,c`. Values are YAML: numbers, true, null, [lists]. Commas inside
 * brackets do not split.
 */
export function parseOverride(argument: string): Axis {
  const equals = argument.indexOf("=");
  const key = argument.slice(0, equals).trim();
  const text = argument.slice(equals + 1).trim();
  const where = `command line: ${argument}`;
  if (equals < 1 || text === "") {
    throw new MerclabError("config", `"${argument}" is no override`, {
      where,
      hint: "Overrides look like optimizer.lr=1e-4 or fusion=sdt,lmam.",
    });
  }
  return { key, values: splitTopLevel(text).map((part) => parseValue(part, where)), where };
}

function parseValue(text: string, where: string): AssignmentValue {
  // YAML 1.2 reads 1e-4 as a number; a bare number with exponent and no dot is text in some parsers, so check.
  const number = Number(text);
  if (text.trim() !== "" && !Number.isNaN(number) && /^[-+.\d]/.test(text.trim())) {
    return number;
  }
  try {
    return parse(text) as AssignmentValue;
  } catch (cause) {
    throw new MerclabError("config", `cannot read the value ${text}`, { where, cause });
  }
}

function splitTopLevel(text: string): string[] {
  const parts: string[] = [""];
  let depth = 0;
  for (const character of text) {
    depth += "[{".includes(character) ? 1 : "]}".includes(character) ? -1 : 0;
    if (character === "," && depth === 0) {
      parts.push("");
    } else {
      parts[parts.length - 1] += character;
    }
  }
  return parts;
}
