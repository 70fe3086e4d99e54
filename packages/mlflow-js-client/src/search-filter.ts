// Literals for MLflow's search grammar, which has no escape sequence: a quote is written inside the other quote.

import { MlflowLimitError } from "./errors.ts";
import { checkKey } from "./keys.ts";

/** `tags.`key` = 'value'`; throws MlflowLimitError for what the grammar cannot express. */
export function tagEquals(key: string, value: string): string {
  checkKey("tag", key);
  return `tags.\`${key}\` = ${quoteString(value)}`;
}

/**
 * A string constant for a filter.
 * @throws MlflowLimitError when the value holds both kinds of quotes; search for a hash of it instead
 */
export function quoteString(value: string): string {
  const quote = value.includes("'") ? '"' : "'";
  if (value.includes(quote)) {
    throw new MlflowLimitError(
      "NOT_SEARCHABLE",
      "filter: a value with both ' and \" cannot be searched for; store and search a hash",
    );
  }
  return quote + value + quote;
}
