// Following page tokens: the next page is fetched only when the consumer has used up the one before.

import { MlflowProtocolError } from "./errors.ts";

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty or absent on the last page. */
  readonly nextPageToken?: string | undefined;
}

/** @throws MlflowProtocolError when the server repeats a page token, which would go on for ever. */
export async function* paginate<T>(
  name: string,
  fetchPage: (pageToken?: string) => Promise<Page<T>>,
): AsyncGenerator<T> {
  const seen = new Set<string>();
  let page = await fetchPage();
  yield* page.items;
  while (page.nextPageToken) {
    if (seen.has(page.nextPageToken))
      throw new MlflowProtocolError("PAGE_LOOP", `${name}: the server repeats a page token`);
    seen.add(page.nextPageToken);
    page = await fetchPage(page.nextPageToken);
    yield* page.items;
  }
}
