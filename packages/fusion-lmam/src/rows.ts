// Several modalities in one tensor. Packed, the rows of a token lie together, so that one product projects them all;
// padded, queries keep that order (utterance, modality) and memories lie modality by modality (modality, utterance),
// so that the scores of one query against one memory modality are contiguous and softmax runs over the last axis.
import { concatLast, type Layout, padTokens, type Streams } from "@merclab/core";
import { reshape, type Tensor2D, type Tensor3D, type Tensor4D, transpose } from "@tensorflow/tfjs-core";

/** Rows of some modalities, `[tokens · modalities, dim]`. */
export type RowsOf = (modalities: readonly string[]) => Tensor2D;

/** Stacks streams `[tokens, dim]` on request, each list of modalities once. */
export function createRows(streams: Streams): RowsOf {
  const made = new Map<string, Tensor2D>();
  return (modalities) => {
    const key = rowsKey(modalities);
    const rows = made.get(key) ?? stackRows(streams, modalities);
    made.set(key, rows);
    return rows;
  };
}

/** What tells lists of modalities apart. */
export function rowsKey(modalities: readonly string[]): string {
  return JSON.stringify(modalities);
}

/** `[tokens · count, width]` to `[batch, time · count, width]`: rows by utterance, then modality. */
export function padQueries(rows: Tensor2D, count: number, layout: Layout): Tensor3D {
  const width = rows.shape[1];
  const wide = padTokens(reshape(rows, [layout.tokens, count * width]) as Tensor2D, layout);
  return reshape(wide, [layout.batch, layout.time * count, width]) as Tensor3D;
}

/** `[tokens · count, width]` to `[batch, count · time, width]`: rows by modality, then utterance. */
export function padMemories(rows: Tensor2D, count: number, layout: Layout): Tensor3D {
  const { batch, time } = layout;
  const width = rows.shape[1];
  const padded = padQueries(rows, count, layout);
  if (count === 1) {
    return padded;
  }
  const byUtterance = reshape(padded, [batch, time, count, width]) as Tensor4D;
  return reshape(transpose(byUtterance, [0, 2, 1, 3]), [batch, count * time, width]) as Tensor3D;
}

function stackRows(streams: Streams, modalities: readonly string[]): Tensor2D {
  const parts = modalities.map((name) => {
    const stream = streams[name];
    if (stream === undefined) {
      throw new Error(`lmam: the encoder gave no stream "${name}"`);
    }
    return stream;
  });
  const [first] = parts;
  if (first === undefined || parts.length === 1) {
    return first as Tensor2D;
  }
  return reshape(concatLast(parts), [first.shape[0] * parts.length, first.shape[1]]) as Tensor2D;
}
