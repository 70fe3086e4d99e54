// The keys and values that a schema knows at a path, read from its JSON Schema (the form that zod documents as stable).

interface JsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly propertyNames?: { readonly enum?: readonly unknown[] };
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly prefixItems?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly allOf?: readonly unknown[];
  readonly const?: unknown;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, unknown>>;
}

/**
 * Keys that may stand at a path.
 *
 * @param root JSON Schema of the whole value
 */
export function knownKeys(root: unknown, path: readonly PropertyKey[]): string[] {
  const keys = placesAt(root, path).flatMap((place) => [
    ...Object.keys(place.properties ?? {}),
    ...(place.propertyNames?.enum ?? []).map(String),
  ]);
  return [...new Set(keys)];
}

/** Fixed values that may stand at a path: the types that a union tells apart. */
export function knownValues(root: unknown, path: readonly PropertyKey[]): string[] {
  const values = placesAt(root, path).flatMap((place) => (place.const === undefined ? [] : [String(place.const)]));
  return [...new Set(values)];
}

/** All schemas that speak of a path. */
function placesAt(root: unknown, path: readonly PropertyKey[]): JsonSchema[] {
  return path.reduce<JsonSchema[]>(
    (places, part) => places.flatMap((place) => step(place, part)).flatMap((place) => branches(place, root)),
    branches(root, root),
  );
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
