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
 * brackets or quotes do not split.
 *
 * @throws MerclabError `config` for anything else
 */
export function parseOverride(argument: string): Axis {
  const equals = argument.indexOf("=");
  const key = argument.slice(0, equals).trim();
  const parts = splitTopLevel(argument.slice(equals + 1));
  const where = `command line: ${argument}`;
  if (equals < 1 || key === "" || parts.includes("")) {
    throw new MerclabError("config", `"${argument}" is no override`, {
      where,
      hint: "Overrides look like optimizer.lr=1e-4 or fusion=sdt,lmam.",
    });
  }
  return { key, values: parts.map((part) => parseValue(part, where)), where };
}

function parseValue(text: string, where: string): AssignmentValue {
  // YAML 1.2 reads 1e-4 as a number; a bare number with exponent and no dot is text in some parsers, so check.
  const number = Number(text);
  if (!Number.isNaN(number) && /^[-+.\d]/.test(text)) {
    return number;
  }
  try {
    return parse(text) as AssignmentValue;
  } catch (cause) {
    throw new MerclabError("config", `cannot read the value ${text}`, {
      where,
      hint: "Values are written as in YAML: 0.1, true, null, text, [a, b].",
      cause,
    });
  }
}

/** Parts between commas that stand in no bracket and no quote, trimmed. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [""];
  let depth = 0;
  let quote: string | undefined;
  let before = ","; // the last character that was no blank
  for (let at = 0; at < text.length; at++) {
    let character = text.charAt(at);
    if (quote !== undefined) {
      const next = text.charAt(at + 1);
      const isEscape = quote === '"' ? character === "\\" : character === "'" && next === "'";
      if (isEscape) {
        character += next;
        at += 1;
      } else if (character === quote) {
        quote = undefined;
      }
    } else if (`"'`.includes(character) && "[{,:".includes(before)) {
      quote = character; // where a value begins; an apostrophe within a word quotes nothing
    } else if ("[{".includes(character)) {
      depth += 1;
    } else if ("]}".includes(character)) {
      depth -= 1;
    }
    if (character === "," && depth === 0 && quote === undefined) {
      parts.push("");
    } else {
      parts[parts.length - 1] += character;
    }
    before = character.trim() === "" ? before : character;
  }
  return parts.map((part) => part.trim());
}
