// The keys that a schema knows at a path, read from its JSON Schema (the form that zod documents as stable).

interface JsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly propertyNames?: { readonly enum?: readonly unknown[] };
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly prefixItems?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly allOf?: readonly unknown[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, unknown>>;
}

/**
 * Keys that may stand at a path.
 *
 * @param root JSON Schema of the whole value
 */
export function knownKeys(root: unknown, path: readonly PropertyKey[]): string[] {
  let places = branches(root, root);
  for (const part of path) {
    places = places.flatMap((place) => step(place, part)).flatMap((place) => branches(place, root));
  }
  const keys = places.flatMap((place) => [
    ...Object.keys(place.properties ?? {}),
    ...(place.propertyNames?.enum ?? []).map(String),
  ]);
  return [...new Set(keys)];
}

function step(place: JsonSchema, part: PropertyKey): unknown[] {
  if (typeof part === "number") {
    return [place.prefixItems?.[part] ?? place.items];
  }
  const name = String(part);
  const known = place.properties !== undefined && Object.hasOwn(place.properties, name);
  return [known ? place.properties?.[name] : place.additionalProperties];
}

/** A schema and, where it is a union, an intersection or a reference, the schemas behind it. */
function branches(schema: unknown, root: unknown): JsonSchema[] {
  if (typeof schema !== "object" || schema === null) {
    return [];
  }
  const place: JsonSchema = schema;
  const inner = [...(place.anyOf ?? []), ...(place.oneOf ?? []), ...(place.allOf ?? []), ...referred(place, root)];
  return [place, ...inner.flatMap((branch) => branches(branch, root))];
}

function referred(place: JsonSchema, root: unknown): unknown[] {
  const name = /^#\/\$defs\/(.+)$/.exec(place.$ref ?? "")?.[1];
  return name === undefined ? [] : [(root as JsonSchema).$defs?.[name]];
}
