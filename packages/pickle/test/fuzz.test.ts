// 10,000 mutated pickles in a process of their own: each ends in a value or a clear error, soon and in little memory.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";

const COUNT = 10_000;

test("10,000 mutated pickles each end in a value or a clear error, within 1 s and 200 MB", () => {
  const tsx = createRequire(import.meta.url).resolve("tsx/esm");
  const script = join(import.meta.dirname, "fuzz/run.ts");
  const printed = execFileSync(process.execPath, ["--import", tsx, script, String(COUNT), "20240601"], {
    encoding: "utf8",
  });
  const { ends, longestMs, largestBytes } = JSON.parse(printed) as {
    ends: Record<string, number>;
    longestMs: number;
    largestBytes: number;
  };
  const codes = new Set(Object.keys(ends).map((key) => key.split(": ")[1]));
  expect(Object.values(ends).reduce((sum, n) => sum + n, 0)).toBe(COUNT);
  expect([...codes].sort()).toEqual(expect.arrayContaining(["damaged", "read", "refused", "unsupported"]));
  expect(longestMs).toBeLessThan(1000);
  expect(largestBytes).toBeLessThan(200e6);
});
