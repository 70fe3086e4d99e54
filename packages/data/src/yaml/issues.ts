// zod's issues in words: what is wrong at which path, with the nearest known name where a name is unknown.
import { suggestName } from "@merclab/core";
import { z } from "zod";
import { knownKeys, knownValues } from "./known-keys.ts";

export interface DescribedIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Describes every issue of a failed parse.
 *
 * @param schema the schema that failed: its keys are the known names
 * @param input what was parsed
 */
export function describeIssues(error: z.ZodError, schema: z.ZodType, input: unknown): DescribedIssue[] {
  const jsonSchema = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return error.issues.flatMap((issue) => describeIssue(issue, [], jsonSchema, input));
}

function describeIssue(
  issue: z.core.$ZodIssue,
  parent: readonly PropertyKey[],
  jsonSchema: unknown,
  input: unknown,
): DescribedIssue[] {
  const path = [...parent, ...issue.path];
  const got = valueAt(input, path);
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = knownKeys(jsonSchema, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown key "${key}"${inPath(path)}. ${suggestName(key, known)}`,
      }));
    }
    case "invalid_union": {
      const branches = issue.errors.map((issues) => [...issues]).sort((a, b) => fit(b) - fit(a));
      const [best] = branches;
      if (best === undefined) {
        const known = knownValues(jsonSchema, path);
        return [{ path, message: `${mismatch(path, "another value", got)}. ${suggestName(String(got), known)}` }];
      }
      if (fit(best) > 0) {
        return best.flatMap((inner) => describeIssue(inner, path, jsonSchema, input));
      }
      const expected = branches.flatMap((issues) => issues.map(expectation));
      return [{ path, message: mismatch(path, [...new Set(expected)].join(" or "), got) }];
    }
    case "invalid_key":
      return [{ path, message: `${atPath(path)}${issue.issues.map((inner) => inner.message).join("; ")}` }];
    case "invalid_type":
      return [{ path, message: mismatch(path, expectation(issue), got) }];
    case "invalid_value": {
      const known = issue.values.map(String);
      const near = typeof got === "string" && known.length > 1 ? ` ${suggestName(got, known)}` : "";
      return [{ path, message: `${mismatch(path, near === "" ? expectation(issue) : "another value", got)}.${near}` }];
    }
    default:
      return [{ path, message: `${atPath(path)}${issue.message.replace(/^Invalid input: /, "")}` }];
  }
}

/** How well a branch of a union fits: 0 when the value has another type altogether, more the deeper it got. */
function fit(issues: readonly z.core.$ZodIssue[]): number {
  const wrongType = issues.some((issue) => issue.path.length === 0 && /^invalid_(type|value)$/.test(issue.code));
  return wrongType ? 0 : 1 / issues.length;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") {
    return TYPE_NAMES[issue.expected] ?? issue.expected;
  }
  if (issue.code === "invalid_value") {
    return issue.values.map((value) => JSON.stringify(value)).join(" or ");
  }
  return issue.message;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a section of keys",
  record: "a section of keys",
};

function mismatch(path: readonly PropertyKey[], expected: string, got: unknown): string {
  if (got === undefined) {
    const name = path.length === 0 ? "" : ` "${String(path[path.length - 1])}"`;
    return `missing${name}${inPath(path.slice(0, -1))}: expected ${expected}`;
  }
  return `${atPath(path)}expected ${expected}, got ${shown(got)}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) {
    return "a list";
  }
  if (typeof value === "object" && value !== null) {
    return "a section of keys";
  }
  return JSON.stringify(value);
}

function atPath(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "" : `"${pathToString(path)}": `;
}

function inPath(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "" : ` in "${pathToString(path)}"`;
}

/** `modalities.text.file`, `labels.classes[2]` */
export function pathToString(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") {
      return `${text}[${part}]`;
    }
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    return (value as Record<PropertyKey, unknown>)[part];
  }, input);
}
