// Views: files with tables over the trials of another experiment; and how experiments in sub-folders are called.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { listExperiments, readExperiment } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "merclab-views-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

write("study.yaml", "title: A study\ndatasets: [iemocap]\nseeds: 2\n");
write("paper/study.yaml", "title: As published\nstudy: study\ntables:\n  - { rows: fusion, published: {} }\n");
write("deep/other.yaml", "title: Another\ndatasets: [iemocap]\n");
write("paper/lost.yaml", "title: Lost\nstudy: studdy\ntables: [{}]\n");
write("paper/odd.yaml", "title: Odd\nstudy: study\ntables: [{}]\nseeds: 3\n");
write("paper/loop.yaml", "title: Loop\nstudy: paper/study\ntables: [{}]\n");

test("a view is its study, with tables of its own", async () => {
  const { name, title, seeds, view, tables } = await readExperiment("paper/study", [folder]);
  expect({ name, title, seeds }).toStrictEqual({ name: "study", title: "A study", seeds: [0, 1] });
  expect(view?.tables).toMatchObject([{ title: "As published", published: { values: [] } }]);
  expect(tables).not.toEqual(view?.tables);
  expect((await readExperiment("study", [folder])).view).toBeUndefined();
  expect((await readExperiment(join(folder, "paper/study.yaml"), [])).name).toBe("study");
});

test("experiments are listed by their path, and found by the last part of it", async () => {
  expect([...(await listExperiments([folder])).keys()].sort()).toStrictEqual([
    "deep/other",
    "paper/loop",
    "paper/lost",
    "paper/odd",
    "paper/study",
    "study",
  ]);
  expect((await readExperiment("other", [folder])).name).toBe("other");
  expect((await readExperiment("deep/other", [folder])).name).toBe("other");
});

test.each([
  ["paper/lost", /unknown experiment "studdy"/],
  ["paper/odd", /seeds/],
  ["paper/loop", /study/],
])("%s is refused: %s", async (name, message) => {
  await expect(readExperiment(name, [folder])).rejects.toThrow(message);
});
