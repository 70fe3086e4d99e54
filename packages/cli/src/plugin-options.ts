// The options of a plugin as rows, read from its schema.
import type { Plugin } from "@merclab/core";
import { z } from "zod";

export interface OptionRow {
  /** Nested ones with dots: `schedule.kind`. */
  readonly name: string;
  readonly type: string;
  /** As YAML has it; absent for what must be given, or follows from other options. */
  readonly default?: string;
  /** What `.describe(…)` in the schema says. */
  readonly meaning?: string;
}

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

export function optionRows({ options }: Pick<Plugin, "options">): OptionRow[] {
  return rowsOf(z.toJSONSchema(options, { io: "input", unrepresentable: "any" }) as JsonSchema, "");
}

function rowsOf({ properties = {} }: JsonSchema, prefix: string): OptionRow[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const name = `${prefix}${key}`;
    if (schema.properties !== undefined && (schema.default === undefined || isEmpty(schema.default))) {
      return rowsOf(schema, `${name}.`);
    }
    const { default: value, description } = schema;
    return [
      {
        name,
        type: typeName(schema),
        ...(value === undefined ? {} : { default: JSON.stringify(value) }),
        ...(description === undefined ? {} : { meaning: description }),
      },
    ];
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function typeName(schema: JsonSchema): string {
  const { type, anyOf, oneOf, items, prefixItems, properties } = schema;
  const branches = anyOf ?? oneOf;
  if (branches !== undefined) {
    return [...new Set(branches.map(typeName))].join(" | ");
  }
  if (schema.const !== undefined) {
    return JSON.stringify(schema.const);
  }
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" | ");
  }
  switch (type) {
    case "array":
      return prefixItems === undefined
        ? `[${items === undefined ? "…" : typeName(items)}, …]`
        : `[${prefixItems.map(typeName).join(", ")}]`;
    case "object":
      return properties === undefined
        ? "{ … }"
        : `{ ${Object.entries(properties)
            .map(([key, each]) => `${key}: ${typeName(each)}`)
            .join(", ")} }`;
    case "integer":
      return `whole number${range(schema)}`;
    case "number":
      return `number${range(schema)}`;
    case "string":
      return "text";
    default:
      return type ?? "anything";
  }
}

/** " ≥ 0, < 1"; what only says that a number is safe is left out. */
function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const isBound = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  const parts = [
    ...(isBound(minimum) ? [`≥ ${minimum}`] : []),
    ...(isBound(exclusiveMinimum) ? [`> ${exclusiveMinimum}`] : []),
    ...(isBound(maximum) ? [`≤ ${maximum}`] : []),
    ...(isBound(exclusiveMaximum) ? [`< ${exclusiveMaximum}`] : []),
  ];
  return parts.length === 0 ? "" : ` ${parts.join(", ")}`;
}
