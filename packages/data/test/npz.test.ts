// npz archives: encode then decode is the identity up to float16's rounding, and real numpy reads them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MerclabError } from "@merclab/core";
import { expect, test } from "vitest";
import { decodeNpz, encodeNpz } from "../src/index.ts";

const probabilities = Float32Array.of(0.1, 0.9, 1, 0, 0.333333, 2 ** -24);
const entries = {
  probabilities: { shape: [3, 2], data: probabilities, dtype: "f2" as const },
  loss: { shape: [2], data: Float32Array.of(1 / 3, -0), dtype: "f4" as const },
  labels: { shape: [1, 3, 1], data: Int32Array.of(5, -1, 0), dtype: "i4" as const },
};

test("what was encoded comes back, float16 rounded to 11 significant bits", () => {
  const decoded = decodeNpz(encodeNpz(entries));
  expect(decoded.loss).toEqual(entries.loss);
  expect(decoded.labels).toEqual(entries.labels);
  expect(decoded.probabilities?.dtype).toBe("f2");
  expect(decoded.probabilities?.shape).toEqual([3, 2]);
  // 0.1 is 0x2e66 in float16: 1638/1024 · 2^−4.
  expect(decoded.probabilities?.data[0]).toBe(0.0999755859375);
  decoded.probabilities?.data.forEach((value, at) => {
    expect(Math.abs(value - (probabilities[at] ?? 0))).toBeLessThanOrEqual((probabilities[at] ?? 0) * 2 ** -11);
  });
});

test("equal entries give equal bytes", () => {
  expect(encodeNpz(entries)).toEqual(encodeNpz(entries));
});

test("a shape that does not fit and a damaged file are refused", () => {
  expect(() => encodeNpz({ x: { shape: [2], data: Float32Array.of(1), dtype: "f4" } })).toThrow("x has 1 numbers");
  expect(() => decodeNpz(encodeNpz(entries).slice(0, 100), "a.npz")).toThrow(MerclabError);
});

const python = process.env.MERCLAB_PYTHON ?? "python3";
const hasNumpy = spawnSync(python, ["-c", "import numpy"]).status === 0;

test.skipIf(!hasNumpy)("numpy reads the same numbers (skipped where Python has no numpy)", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "merclab-npz-")), "x.npz");
  await writeFile(path, encodeNpz(entries));
  const script = `import json, sys, numpy
with numpy.load(sys.argv[1], allow_pickle=False) as z:
    print(json.dumps({k: [str(z[k].dtype), list(z[k].shape), z[k].astype("f8").ravel().tolist()] for k in z.files}))`;
  const read = JSON.parse(execFileSync(python, ["-c", script, path], { encoding: "utf8" }));
  const half = decodeNpz(encodeNpz(entries)).probabilities?.data ?? [];
  expect(read).toEqual({
    probabilities: ["float16", [3, 2], [...half]],
    loss: ["float32", [2], [Math.fround(1 / 3), -0]],
    labels: ["int32", [1, 3, 1], [5, -1, 0]],
  });
});
