// exp report and exp diff as a user walks them, on a study that was trained here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, filesOf, trialsOf } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const place = createWorkplace();
let results: ReturnType<typeof filesOf>;

beforeAll(async () => {
  expect(await place.exp("run", "tiny")).toMatchObject({ code: 0 });
  results = filesOf(place.folder, "result.json");
}, TIMEOUT_MS);
afterAll(place.remove);

describe("exp report", () => {
  test(
    "writes one page, with speakers from the data, and pictures as files",
    async () => {
      const ended = await place.exp("report", "tiny", "--svg", "figures", "--json");
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      const { file, bytes, pictures } = JSON.parse(ended.stdout) as { file: string; bytes: number; pictures: string[] };
      expect(file).toBe(join(place.folder, "runs", "tiny", "report.html"));
      const page = readFileSync(file, "utf8");
      expect(Buffer.byteLength(page)).toBe(bytes);
      for (const { id } of trialsOf(place.folder)) {
        expect(page).toContain(id);
      }
      expect(page).toContain("speaker 2");
      expect(page).toContain("exp stress tiny");
      expect(pictures.length).toBeGreaterThan(8);
      for (const picture of pictures) {
        expect(readFileSync(join(place.folder, "figures", picture), "utf8")).toMatch(/^<svg xmlns=/);
      }
      const again = await place.exp("report", "tiny", "--out", "again.html");
      expect(again.stdout).toBe(
        `${join(place.folder, "again.html")} (${(bytes / 1024).toFixed(0)} kB, ${pictures.length} pictures)\n`,
      );
      expect(readFileSync(join(place.folder, "again.html"), "utf8")).toBe(page);
    },
    TIMEOUT_MS,
  );

  test("names the experiments that there are", async () => {
    const ended = await place.exp("report", "tyny");
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('Did you mean "tiny"?');
  });
});

describe("exp diff", () => {
  test("compares two methods over seeds, and writes their flips", async () => {
    const ended = await place.exp("diff", "tiny", "fusion=sdt", "fusion=lmam", "--csv", "flips.csv");
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^sdt {2}against {2}lmam {2}on folder\n2 seeds of both: 0, 1\n/);
    expect(ended.stdout).toMatch(/^fusion\.name +"sdt" +"lmam"$/m);
    expect(ended.stdout).toMatch(/^Weighted F1 \(%\) +[\d.]+ ± [\d.]+ +[\d.]+ ± [\d.]+ +[-+]?[\d.]+/m);
    expect(ended.stdout).toContain("2 test utterances, each counted once per seed (2): both right");
    expect(ended.stdout).toContain("by emotion before, same speaker");
    expect(readFileSync(join(place.folder, "flips.csv"), "utf8")).toMatch(/^dataset,dialogue,utterance,turn,speaker,/);
  });

  test("compares two runs, with McNemar's test, as JSON", async () => {
    const [first = "", second = ""] = trialsOf(place.folder).map(({ id }) => id);
    const ended = await place.exp("diff", first.slice(0, 8), second, "--json");
    expect(ended.code).toBe(0);
    const [comparison] = JSON.parse(ended.stdout) as Record<string, unknown>[];
    expect(comparison).toMatchObject({
      pairs: [{ trials: [first, second] }],
      flips: { pairs: 1, utterances: 2, test: { p: expect.any(Number) as number } },
    });
    const text = await place.exp("diff", first, second);
    expect(text.stdout).toContain("McNemar's exact test of these two runs: p = ");
  });

  test.each([
    [["tiny", "fusion=sdt", "fusion=tfn"], "no data set has runs with the same seed of both fusion=sdt and fusion=tfn"],
    [["tiny", "encoder=linear", "fusion=sdt"], "encoder=linear fits 2 methods on folder"],
  ])("refuses %j and says why", async (args, message) => {
    const ended = await place.exp("diff", ...args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).toContain("→");
  });
});

test("neither changes a result", () => {
  expect(filesOf(place.folder, "result.json")).toEqual(results);
});
