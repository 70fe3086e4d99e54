// Tables that can be trusted as files: written, held against the stored runs, and restored by the command that a table
// with a hole names.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkTableFile, writeTableFile } from "../packages/cli/src/table-file.ts";
import { compileTables, tablesText } from "../packages/cli/src/tables.ts";
import { formatOfFile, TABLE_FORMATS } from "../packages/report/src/index.ts";
import { createWorkplace, STUDY, trialsOf } from "./support/cli.ts";

const place = createWorkplace();
afterAll(place.remove);

const runs = join(place.folder, "runs");

/** Words of a command that a table names, as a shell would split them. */
const wordsOf = (command: string) =>
  [...command.matchAll(/(?:'([^']*)'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ""));
interface Spec {
  readonly cell: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly data: { readonly fingerprint: string };
}
const stored = () =>
  trialsOf(place.folder).map(({ id, spec }) => ({
    id,
    spec: spec as unknown as Spec,
    folder: join(place.folder, "runs/tiny/trials", id),
  }));
const read = (file: string) => readFileSync(join(place.folder, file), "utf8");

beforeAll(async () => {
  place.write({
    "experiments/tiny.yaml": STUDY.replace("fusion: [sdt, lmam]", "fusion: [sdt, lmam]\n  encoder: [linear, bc-lstm]"),
  });
  const { code, stderr } = await place.exp("run", "tiny");
  expect(code, stderr).toBe(0);
}, 120_000);

describe("exp table --out and --check", () => {
  test("agree, until a result changes", async () => {
    const file = "paper/table.md";
    expect((await place.exp("table", "tiny", "--out", file)).code).toBe(0);
    expect((await place.exp("table", "tiny", "--check", file)).code).toBe(0);
    place.write({ [file]: read(file).replace(/\d\d\.\d\d/, "12.34") });
    const stale = await place.exp("table", "tiny", "--check", file);
    expect(stale.code).toBe(1);
    expect(stale.stdout).toMatch(/^-.*12\.34/m);
    expect(stale.stderr).toContain(`exp table tiny --out ${file}`);
  }, 60_000);

  test("name each format by its ending", async () => {
    const tables = await compileTables(runs, "tiny");
    for (const ending of ["txt", "md", "tex", "csv", "json", "html"]) {
      const file = join(place.folder, `paper/all.${ending}`);
      const text = tablesText(tables, formatOfFile(file));
      await writeTableFile(file, text);
      expect(await checkTableFile(file, text)).toBeUndefined();
      expect(await checkTableFile(file, text.replace(/\d\d\.\d\d|0\.\d+/, "12.34"))).toMatch(/^\+.*12\.34/m);
    }
    expect(() => formatOfFile("table.docx")).toThrow(/says no format/);
    await expect(checkTableFile(join(place.folder, "none.md"), "")).rejects.toThrow(/none\.md/);
  });
});

describe("a table with a hole", () => {
  const outcomes = async () => {
    const tables = await compileTables(runs, "tiny");
    return TABLE_FORMATS.map((format) => tablesText(tables, format, { withProvenance: true }));
  };

  test.each([
    ["one seed", (seed: number) => seed === 1, "--seeds '[1]'"],
    ["all seeds", () => true, ""],
  ])(
    "of %s names a command that restores it to the byte, and trains nothing else",
    async (_, isLost, flags) => {
      const before = await outcomes();
      const trials = stored();
      const kept = new Map(trials.map(({ id, folder }) => [id, readFileSync(join(folder, "result.json"), "utf8")]));
      const lost = trials.filter(
        ({ spec }) => spec.cell.fusion === "lmam" && spec.cell.encoder === "linear" && isLost(spec.seed),
      );
      const files = new Map(lost.map(({ id, folder }) => [id, readFileSync(join(folder, "trial.json"), "utf8")]));
      for (const { folder } of lost) {
        rmSync(folder, { recursive: true });
      }
      const holed = await compileTables(runs, "tiny");
      const commands = new Set(
        holed.flatMap(({ cells }) => cells.flat()).flatMap(({ missing }) => missing?.command ?? []),
      );
      const expected = ["exp run tiny datasets=folder fusion=lmam encoder=linear", flags]
        .filter((part) => part !== "")
        .join(" ");
      expect([...commands]).toStrictEqual([expected]);
      expect(tablesText(holed, "terminal").replace(/\s+/g, " ")).toContain(`to compute: ${expected}`);

      const { code, stderr } = await place.exp(...wordsOf(expected).slice(1));
      expect(code, stderr).toBe(0);
      expect(await outcomes()).toStrictEqual(before);
      for (const { id, folder } of stored()) {
        const file = files.get(id);
        if (file === undefined) {
          expect(readFileSync(join(folder, "result.json"), "utf8")).toBe(kept.get(id));
        } else {
          expect(readFileSync(join(folder, "trial.json"), "utf8")).toBe(file);
        }
      }
      expect(readdirSync(join(place.folder, "runs/tiny/trials"))).toHaveLength(trials.length);
    },
    120_000,
  );
});

test("exp table --provenance says of every cell what it was made of", async () => {
  const { stdout } = await place.exp("table", "tiny", "--provenance");
  for (const { id, spec } of stored()) {
    expect(stdout).toContain(`${id} (${spec.seed})`);
    expect(stdout).toContain(spec.data.fingerprint);
  }
  expect(stdout).toContain("exp run tiny datasets=folder fusion=lmam encoder=bc-lstm");
  const tables = await compileTables(runs, "tiny");
  for (const format of ["md", "latex", "html", "csv", "json"] as const) {
    const text = tablesText(tables, format, { withProvenance: true });
    expect(text).toContain("exp run tiny datasets=folder fusion=lmam encoder=bc-lstm");
  }
}, 120_000);
