// LMAM once more, written row by row in double precision as the equations read: no batching, no padding, no order of
// products. What the fusion is tested against; with an extension for missing modalities.
import type { LmamOptions } from "../src/index.ts";
import type { Batch, Rows, Values } from "./support.ts";

type Vector = readonly number[];

/** Fused rows of all dialogues, end to end. */
export function oracle(options: LmamOptions, parameters: Values, batch: Batch): number[][] {
  let start = 0;
  return batch.lengths.flatMap((length) => {
    const from = start;
    start += length;
    return Array.from({ length }, (_, i) => fusedRow(options, parameters, batch, from, length, i));
  });
}

function fusedRow(
  options: LmamOptions,
  parameters: Values,
  batch: Batch,
  from: number,
  length: number,
  i: number,
): number[] {
  const names = Object.keys(batch.features);
  const row = (name: string, j: number): Vector => batch.features[name]?.[from + j] ?? [];
  const present = (name: string, j: number): boolean => (batch.present?.[name]?.[from + j] ?? 1) === 1;
  const anchors = options.anchor === null ? [] : [options.anchor];
  const queries = options.mode === "anchorQuery" ? anchors : names;
  const memories = options.mode === "anchorMemory" ? anchors : names;
  const observed = names.some((name) => present(name, i));
  const contributes = (name: string): boolean => present(name, i) || !observed;
  const dim = row(names[0] ?? "", 0).length;

  let pooled: Vector = Array(dim).fill(0);
  let pairs = 0;
  for (const query of queries) {
    for (const memory of memories) {
      const suffix = { all: "", perQueryModality: `.${query}`, perPair: `.${query}.${memory}` }[options.sharing];
      const weight = (part: string): Rows => parameters[`lmam.${part}${suffix}`] as Rows;
      const seen = Array.from({ length }, (_, j) => j).filter((j) => present(memory, j) && (!options.causal || j <= i));
      if (!contributes(query) || seen.length === 0) {
        continue;
      }
      pairs++;
      const scores = seen.map((j) => score(options, parameters, suffix, row(query, i), row(memory, j)));
      const exps = scores.map(Math.exp);
      const total = exps.reduce((sum, e) => sum + e, 0);
      seen.forEach((j, at) => {
        const t = row(memory, j);
        const value =
          options.valueSpace === "model"
            ? t
            : times(weight("value.weight"), transposedTimes(weight("u"), extended(options, t)));
        pooled = plus(pooled, value, (exps[at] ?? 0) / total);
      });
    }
  }
  const terms = queries.length * memories.length;
  pooled = pooled.map((p) => (p * (options.reduce === "sum" ? terms : 1)) / Math.max(pairs, 1));
  if (options.valueSpace === "rank") {
    pooled = plus(pooled, parameters["lmam.value.bias"] as Vector);
  }
  let out = options.postForm === "geluSum" ? pooled.map(gelu) : pooled;
  if (options.residual) {
    const skipped = options.anchor === null ? names : anchors;
    const there = skipped.filter(contributes);
    const all = skipped.length * (options.postForm === "sumGelu" ? skipped.length : 1);
    const factor = (options.reduce === "sum" ? all : 1) / Math.max(there.length, 1);
    for (const name of there) {
      out = plus(out, options.postForm === "sumGelu" ? row(name, i).map(gelu) : row(name, i), factor);
    }
  }
  if (options.outputProjection !== null) {
    const act = { gelu, relu: (x: number) => Math.max(x, 0), tanh: Math.tanh, identity: (x: number) => x };
    const affine = plus(times(parameters["lmam.output.weight"] as Rows, out), parameters["lmam.output.bias"] as Vector);
    out = affine.map(act[options.outputProjection.activation]);
  }
  return out.map((h) => (options.maskOutput && !observed ? 0 : h));
}

function score(options: LmamOptions, parameters: Values, suffix: string, x: Vector, t: Vector): number {
  const get = (part: string): Values[string] | undefined => parameters[`lmam.${part}${suffix}`];
  let s: number;
  if (options.rank === null) {
    s = dot(times(get("weight") as Rows, x), t);
  } else {
    const q = transposedTimes(get("v") as Rows, extended(options, x));
    const c = options.bias === "rank" ? (get("c") as Vector) : q.map(() => 0);
    s = dot(plus(q, c), transposedTimes(get("u") as Rows, extended(options, t)));
  }
  if (options.bias === "feature") {
    s += dot(get("bias") as Vector, t);
  }
  const width = options.rank ?? x.length;
  return { tanh: Math.tanh(s), identity: s, scaled: s / Math.sqrt(width) }[options.scoreActivation];
}

function extended(options: LmamOptions, x: Vector): Vector {
  return options.augment === "both" ? [...x, 1] : x;
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);
}

function plus(a: Vector, b: Vector, factor = 1): number[] {
  return a.map((value, k) => value + factor * (b[k] ?? 0));
}

function times(matrix: Rows, x: Vector): number[] {
  return matrix.map((row) => dot(row, x));
}

function transposedTimes(matrix: Rows, x: Vector): number[] {
  return (matrix[0] ?? []).map((_, c) => matrix.reduce((sum, row, k) => sum + (row[c] ?? 0) * (x[k] ?? 0), 0));
}

export function gelu(x: number): number {
  return (x * (1 + erf(x / Math.SQRT2))) / 2;
}

/** Taylor series; accurate for the small arguments of these tests. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return Math.abs(x) > 4 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * sum;
}
