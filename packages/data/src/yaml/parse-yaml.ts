// YAML in, typed value out. Whatever is wrong is told with file, line and, for misspelt names, the nearest known one;
// all problems of a file at once. Nothing past this module sees raw YAML.
import { readFile } from "node:fs/promises";
import { MerclabError } from "@merclab/core";
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { describeIssues } from "./issues.ts";

/** Problems told at once; the rest is counted. */
const MAX_PROBLEMS = 8;

export interface ParsedYaml<T> {
  readonly value: T;
  /** Line (from 1) of a key or list item, or of the nearest parent that the file has. */
  lineOf(path: readonly PropertyKey[]): number;
}

/**
 * Parses and checks a YAML text.
 *
 * @param file name shown in errors
 * @throws MerclabError `config` that lists every problem with its line
 */
export function parseYaml<S extends z.ZodType>(text: string, schema: S, file: string): ParsedYaml<z.output<S>> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    throw yamlError(
      file,
      syntax.map(({ message, pos }) => ({ line: lineCounter.linePos(pos[0]).line, message })),
    );
  }
  const lineOf = (path: readonly PropertyKey[]): number => lineCounter.linePos(offsetOf(document, path)).line;
  const raw = toPlain(document, file);
  if (raw === null) {
    throw yamlError(file, [{ line: 1, message: "the file is empty" }]);
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const issues = describeIssues(parsed.error, schema, raw);
    throw yamlError(
      file,
      issues.map(({ path, message }) => ({ line: lineOf(path), message })),
    );
  }
  return { value: parsed.data, lineOf };
}

/** Reads, parses and checks a YAML file. @throws MerclabError `config` */
export async function readYamlFile<S extends z.ZodType>(path: string, schema: S): Promise<ParsedYaml<z.output<S>>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new MerclabError("config", `cannot read ${path}`, { where: path, cause });
  }
  return parseYaml(text, schema, path);
}

interface LineProblem {
  readonly line: number;
  readonly message: string;
}

function yamlError(file: string, problems: readonly LineProblem[]): MerclabError {
  const sorted = [...problems].sort((a, b) => a.line - b.line);
  const [first] = sorted;
  const where = `${file}:${first?.line ?? 1}`;
  if (first !== undefined && sorted.length === 1) {
    return new MerclabError("config", first.message, { where });
  }
  const told = sorted.slice(0, MAX_PROBLEMS).map(({ line, message }) => `  line ${line}: ${message}`);
  const rest = sorted.length > MAX_PROBLEMS ? [`  and ${sorted.length - MAX_PROBLEMS} more`] : [];
  return new MerclabError("config", [`${sorted.length} problems`, ...told, ...rest].join("\n"), { where });
}

function toPlain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // Aliases that grow without bound.
    throw new MerclabError("config", `cannot be expanded: ${String(cause)}`, { where: `${file}:1`, cause });
  }
}

/** Character where a path starts in the text: at its key in a map, at the item itself in a list. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const part of path) {
    const container = isAlias(node) ? node.resolve(document) : node;
    if (isMap(container)) {
      const pair = container.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) {
        break;
      }
      offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(container) && typeof part === "number") {
      node = container.items[part];
      offset = isNode(node) ? (node.range?.[0] ?? offset) : offset;
    } else {
      break;
    }
  }
  return offset;
}
