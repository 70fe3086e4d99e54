// What a trial stores of its test predictions is what is read back.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Task } from "@merclab/core";
import { stringify } from "csv-stringify/sync";
import { expect, test } from "vitest";
import { readTestPredictions } from "../src/index.ts";
import { predictionCells, predictionColumns } from "../src/study/test-predictions.ts";

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "merclab-predictions-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const roundTrip = (task: Task, rows: readonly { truth: number[]; output: number[] }[]) =>
  withFolder(async (folder) => {
    const records = rows.map(({ truth, output }, i) => [
      `d, "${i > 0}"`,
      `u${i}`,
      ...predictionCells(task, truth, output),
    ]);
    const columns = ["dialogue", "utterance", ...predictionColumns(task)];
    await writeFile(join(folder, "predictions.csv"), stringify(records, { header: true, columns }));
    return readTestPredictions(folder, task);
  });

test("classes", async () => {
  const task: Task = { type: "single-label", classes: ["joy", "fear"] };
  const found = await roundTrip(task, [
    { truth: [1], output: [0.25, 0.75] },
    { truth: [0], output: [0.50000001, 0.49999999] },
    { truth: [0], output: [0.4, 0.6] },
  ]);
  expect(found?.dialogues).toStrictEqual(['d, "false"', 'd, "true"', 'd, "true"']);
  expect(found?.utterances).toStrictEqual(["u0", "u1", "u2"]);
  expect(Array.from(found?.truth ?? [])).toStrictEqual([1, 0, 0]);
  expect(Array.from(found?.decisions ?? [])).toStrictEqual([1, 0, 1]);
  expect(Array.from(found?.outputs ?? [])).toStrictEqual([0.25, 0.75, 0.5, 0.5, 0.4, 0.6]);
});

test("several labels, none among them", async () => {
  const task: Task = { type: "multi-label", labels: ["joy", "fear", "anger"], threshold: 0.5 };
  const found = await roundTrip(task, [
    { truth: [1, 0, 1], output: [0.9, 0.1, 0.5] },
    { truth: [0, 0, 0], output: [0, 0, 1] },
  ]);
  expect(Array.from(found?.truth ?? [])).toStrictEqual([1, 0, 1, 0, 0, 0]);
  expect(Array.from(found?.outputs ?? [])).toStrictEqual([0.9, 0.1, 0.5, 0, 0, 1]);
});

test("scores", async () => {
  const found = await roundTrip({ type: "regression", range: [-3, 3] }, [{ truth: [-1.4], output: [2.25] }]);
  expect(Array.from(found?.truth ?? [])).toStrictEqual([-1.4]);
  expect(Array.from(found?.outputs ?? [])).toStrictEqual([2.25]);
});

test("none stored, and a file of something else", async () => {
  const task: Task = { type: "single-label", classes: ["joy", "fear"] };
  await withFolder(async (folder) => {
    expect(await readTestPredictions(folder, task)).toBeUndefined();
    await writeFile(join(folder, "predictions.csv"), "dialogue,utterance,label,predicted,joy\n");
    await expect(readTestPredictions(folder, task)).rejects.toThrow(/expected the columns.*fear/);
    await writeFile(join(folder, "predictions.csv"), "dialogue,utterance,label,predicted,joy,fear\nd,u,rage,joy,1,0\n");
    await expect(readTestPredictions(folder, task)).rejects.toThrow(/"rage" is none of joy, fear/);
  });
});
