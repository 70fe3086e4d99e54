// The order of modalities: the official strings (atv, at, av, tv) are sorted by letter, and indices in parameter names,
// blocks of the classifier and the order of matrix products follow them.
import { shortModalityName } from "@merclab/core";

/** Modalities by their short names: audio, text, visual; others by their own. */
export function officialOrder(modalities: readonly string[]): string[] {
  return [...modalities].sort((a, b) => (shortModalityName(a) < shortModalityName(b) ? -1 : 1));
}
