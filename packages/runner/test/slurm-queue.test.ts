// Slurm's ways of writing lists and times.
import { expect, test } from "vitest";
import { indexText, parseIndices } from "../src/launchers/slurm-queue.ts";
import { slurmSeconds } from "../src/launchers/slurm-time.ts";

test.each([
  ["7", [7]],
  ["4-7", [4, 5, 6, 7]],
  ["[4-6%2]", [4, 5, 6]],
  ["4-6%2", [4, 5, 6]],
  ["1,3,5-7", [1, 3, 5, 6, 7]],
  ["0-8:4", [0, 4, 8]],
  ["N/A", []],
  ["", []],
])("indices %s", (text, indices) => {
  expect(parseIndices(text)).toEqual(indices);
});

test("indices are written in ranges, and read again", () => {
  expect(indexText([5, 0, 3, 4, 9])).toBe("0,3-5,9");
  expect(parseIndices(indexText([5, 0, 3, 4, 9]))).toEqual([0, 3, 4, 5, 9]);
  expect(indexText([])).toBe("");
});

test.each([
  ["90", 5400],
  ["90:30", 5430],
  ["4:00:00", 14_400],
  ["1-12", 129_600],
  ["1-12:30", 131_400],
  ["2-00:00:01", 172_801],
  ["UNLIMITED", Number.POSITIVE_INFINITY],
  ["4h", undefined],
  ["", undefined],
])("time %s", (text, seconds) => {
  expect(slurmSeconds(text)).toBe(seconds);
});
