// The encoders row by row in double precision, written from the specification and not from the package's code:
// sections 3.1 to 3.6 of the notes on SDT's code, and a plain pre-norm transformer. No dropout.
import type { z } from "zod";
import type { linearOptions, SdtEncoderOptions, TransformerOptions } from "../src/index.ts";
import { type Batch, speakersOf, type Values } from "./support.ts";

type Row = readonly number[];

interface Site {
  readonly batch: Batch;
  /** First row of each dialogue. */
  readonly starts: readonly number[];
  readonly values: Values;
}

export type OracleOptions =
  | { readonly name: "linear"; readonly options: z.output<typeof linearOptions> }
  | { readonly name: "transformer"; readonly options: TransformerOptions }
  | { readonly name: "sdt"; readonly options: SdtEncoderOptions };

/** Streams `[rows, dim]` per modality. */
export function oracle(encoder: OracleOptions, values: Values, given: Batch): Record<string, Row[]> {
  const batch = { ...given, features: observed(given) };
  const starts = batch.lengths.map((_, d) => sum(batch.lengths.slice(0, d)));
  const at = { batch, starts, values };
  const modalities = Object.keys(batch.features);
  switch (encoder.name) {
    case "linear":
      return Object.fromEntries(
        modalities.map((m) => [m, (batch.features[m] ?? []).map((row) => affine(at, `linear.${m}`, row))]),
      );
    case "transformer":
      return Object.fromEntries(modalities.map((m) => [m, transformer(at, m, encoder.options)]));
    case "sdt":
      return Object.fromEntries(modalities.map((m) => [m, sdt(at, m, modalities, encoder.options)]));
  }
}

/** Zeros where a modality was not observed. */
function observed({ features, present }: Batch): Batch["features"] {
  return Object.fromEntries(
    Object.entries(features).map(([name, rows]) => [
      name,
      rows.map((row, i) => row.map((x) => x * (present?.[name]?.[i] ?? 1))),
    ]),
  );
}

function transformer(at: Site, modality: string, options: TransformerOptions): Row[] {
  const prefix = `transformer.${modality}`;
  let x = (at.batch.features[modality] ?? []).map((row, i) => {
    const speaker = options.speakers ? tableRow(at, "transformer.speakers", i) : [];
    return add(add(affine(at, `${prefix}.input`, row), position(at, i, options.dim)), speaker);
  });
  for (let layer = 0; layer < options.numLayers; layer++) {
    const name = (part: string) => `${prefix}.${layer}.${part}`;
    const normed = x.map((row) => norm(at, name("attention_norm"), row, 1e-5));
    const maps = { q: name("q"), k: name("k"), v: name("v"), out: name("out") };
    const attended = attention(at, maps, normed, normed, modality, options.numHeads);
    x = x.map((row, i) => add(row, attended[i] ?? []));
    x = x.map((row) => {
      const inner = affine(at, name("feed_forward.0"), norm(at, name("feed_forward_norm"), row, 1e-5));
      return add(row, affine(at, name("feed_forward.1"), inner.map(geluExact)));
    });
  }
  return x.map((row) => norm(at, `${prefix}.norm`, row, 1e-5));
}

const SHORT: Readonly<Record<string, string>> = { text: "t", audio: "a", visual: "v" };
const INPUT: Readonly<Record<string, string>> = { text: "textf_input", audio: "acouf_input", visual: "visuf_input" };

function sdt(at: Site, target: string, modalities: readonly string[], options: SdtEncoderOptions): Row[] {
  const others = modalities.filter((m) => m !== target);
  const sources = { both: [target, ...others], intra: [target], inter: others }[options.paths];
  const embedded = (m: string) =>
    (at.batch.features[m] ?? []).map((row, i) => {
      const projected = affine(at, INPUT[m] ?? `${m}_input`, row);
      const placed = options.positions ? add(projected, position(at, i, options.dim)) : projected;
      return options.speakers ? add(placed, tableRow(at, "speaker_embeddings.weight", i)) : placed;
    });
  const gated = sources.map((source) => {
    const name = `${SHORT[source] ?? source}_${SHORT[target] ?? target}`;
    const encoded = sdtTransformer(at, name, source, target, embedded(source), embedded(target), options);
    return encoded.map((row) => {
      const scores = options.unimodalGate === "learned" ? affine(at, `${name}_gate.fc`, row) : row;
      return options.unimodalGate === "none" ? row : row.map((y, k) => y / (1 + Math.exp(-(scores[k] ?? 0))));
    });
  });
  return embedded(target).map((_, i) =>
    affine(
      at,
      `features_reduce_${SHORT[target] ?? target}`,
      gated.flatMap((rows) => rows[i] ?? []),
    ),
  );
}

/** Section 3.4, with its rules for more than one layer. */
function sdtTransformer(
  at: Site,
  name: string,
  source: string,
  target: string,
  sourceRows: readonly Row[],
  targetRows: readonly Row[],
  options: SdtEncoderOptions,
): Row[] {
  let x = [...targetRows];
  for (let layer = 0; layer < options.numLayers; layer++) {
    const prefix = `${name}.transformer_inter.${layer}`;
    const q = layer === 0 ? x : x.map((row) => norm(at, `${prefix}.layer_norm`, row, 1e-6));
    const self = `${prefix}.self_attn`;
    const maps = { q: `${self}.linear_q`, k: `${self}.linear_k`, v: `${self}.linear_v`, out: `${self}.linear` };
    const attended = attention(at, maps, q, source === target ? q : sourceRows, source, options.numHeads);
    x = q.map((row, i) => {
      const residual = add(attended[i] ?? [], row);
      const inner = affine(
        at,
        `${prefix}.feed_forward.w_1`,
        norm(at, `${prefix}.feed_forward.layer_norm`, residual, 1e-6),
      );
      return add(residual, affine(at, `${prefix}.feed_forward.w_2`, inner.map(geluTanh)));
    });
  }
  return x;
}

/** Each row attends to the observed rows of `source` in its dialogue; without one the context is zero. */
function attention(
  at: Site,
  maps: Readonly<Record<"q" | "k" | "v" | "out", string>>,
  queries: readonly Row[],
  memory: readonly Row[],
  source: string,
  numHeads: number,
): Row[] {
  const k = memory.map((row) => affine(at, maps.k, row));
  const v = memory.map((row) => affine(at, maps.v, row));
  return queries.map((query, i) => {
    const q = affine(at, maps.q, query);
    const width = q.length / numHeads;
    const dialogue = dialogueOf(at, i);
    const start = at.starts[dialogue] ?? 0;
    const seen = Array.from({ length: at.batch.lengths[dialogue] ?? 0 }, (_, j) => start + j).filter(
      (j) => (at.batch.present?.[source]?.[j] ?? 1) === 1,
    );
    const context = q.map((_, feature) => {
      const head = Math.floor(feature / width);
      const part = (row: Row | undefined) => (row ?? []).slice(head * width, (head + 1) * width);
      const scores = seen.map((j) => dot(part(q), part(k[j])) / Math.sqrt(width));
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      return seen.length === 0 ? 0 : sum(seen.map((j, n) => (weights[n] ?? 0) * (v[j]?.[feature] ?? 0))) / sum(weights);
    });
    return affine(at, maps.out, context);
  });
}

/** W·x + b, b being 0 where it was not declared. */
function affine({ values }: Site, name: string, row: Row): number[] {
  const weight = values[`${name}.weight`];
  if (weight === undefined) {
    throw new Error(`the oracle found no ${name}.weight`);
  }
  const bias = values[`${name}.bias`]?.data;
  return Array.from({ length: weight.shape[0] ?? 0 }, (_, o) =>
    row.reduce((total, x, i) => total + x * (weight.data[o * row.length + i] ?? 0), bias?.[o] ?? 0),
  );
}

function norm({ values }: Site, name: string, row: Row, epsilon: number): number[] {
  const mean = sum(row) / row.length;
  const variance = sum(row.map((x) => (x - mean) ** 2)) / row.length;
  return row.map((x, k) => {
    const normed = (x - mean) / Math.sqrt(variance + epsilon);
    return normed * (values[`${name}.weight`]?.data[k] ?? 0) + (values[`${name}.bias`]?.data[k] ?? 0);
  });
}

function tableRow({ batch, values }: Site, name: string, i: number): Row {
  const table = values[name];
  const dim = table?.shape[1] ?? 0;
  const speaker = speakersOf(batch)[i] ?? 0;
  return (table?.data ?? []).slice(speaker * dim, (speaker + 1) * dim);
}

function position(at: Site, i: number, dim: number): number[] {
  const place = i - (at.starts[dialogueOf(at, i)] ?? 0);
  return Array.from({ length: dim }, (_, k) => {
    const angle = place * Math.exp((-2 * Math.floor(k / 2) * Math.log(10000)) / dim);
    return k % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

function dialogueOf({ starts }: Site, i: number): number {
  return starts.filter((start) => start <= i).length - 1;
}

function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** x·Φ(x), Φ by the series of the error function, which converges fast for the small x of these tests. */
function geluExact(x: number): number {
  let term = x;
  let series = x;
  for (let n = 1; n < 60; n++) {
    term *= (x * x) / (2 * n + 1);
    series += term;
  }
  return x * (0.5 + (series * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI));
}

function add(a: Row, b: Row): number[] {
  return a.map((x, k) => x + (b[k] ?? 0));
}

function dot(a: Row, b: Row): number {
  return sum(a.map((x, k) => x * (b[k] ?? 0)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
