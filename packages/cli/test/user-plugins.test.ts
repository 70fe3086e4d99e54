// Plugins of a user's folder that cannot be loaded: what is said, where, and what to do.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MerclabError } from "@merclab/core";
import { afterEach, describe, expect, test } from "vitest";
import { loadUserPlugins } from "../src/user-plugins/load.ts";
import { addPluginEntry, readPluginEntries } from "../src/user-plugins/settings.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "merclab-plugins-")));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const plugins = (...entries: string[]) => `plugins:\n${entries.map((entry) => `  - ${entry}\n`).join("")}`;

/** A module that imports nothing: the hooks for imports are those of the command. */
const plugin = (name: string, kind = "fusion") =>
  `export default { kind: "${kind}", name: "${name}", summary: "", options: { safeParse() {}, _zod: {} }, create() {} };\n`;

/** Message, place and advice. */
async function refusalOf(folder: string): Promise<string[]> {
  const error: unknown = await loadUserPlugins(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof MerclabError)) {
    throw error ?? new Error("nothing was refused");
  }
  expect(error.code).toBe("config");
  return [error.message, error.where ?? "", error.hint ?? ""].map((text) => text.replaceAll(folder, "DIR"));
}

describe("a plugin is refused", () => {
  test.each<[string, Readonly<Record<string, string>>, readonly (string | RegExp)[]]>([
    [
      "whose file is missing",
      { "merclab.yaml": plugins("./fusions/mine.ts") },
      [
        "the plugin file ./fusions/mine.ts does not exist",
        "DIR/merclab.yaml:2",
        /Correct or remove the line.*Looked for DIR\/fusions\/mine\.ts\.$/,
      ],
    ],
    [
      "whose package is not installed",
      { "merclab.yaml": plugins("some-package") },
      [
        "the package some-package of a plugin is not installed in DIR",
        "DIR/merclab.yaml:2",
        /Install it there: npm install some-package\./,
      ],
    ],
    [
      "that is no code",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": "export default 1;\nconst a: number = = 2;\n" },
      ['the plugin ./mine.ts cannot be read: Unexpected "="', "DIR/mine.ts:2:19", /Correct the code there/],
    ],
    [
      "that imports what is not there",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": 'import { x } from "./other.ts";\nexport default x;\n' },
      [/^the plugin \.\/mine\.ts cannot be read: Could not resolve "\.\/other\.ts"/, "DIR/mine.ts:1:19", /./],
    ],
    [
      "that throws while it is loaded",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": "interface A {}\n\nthrow new Error('oh dear');\n" },
      ["the plugin ./mine.ts failed while it was loaded: oh dear", /^DIR\/mine\.ts:3/, /Correct the code there/],
    ],
    [
      "that exports something else",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": "export const fusion = () => 1;\n" },
      [
        "./mine.ts gives no plugin: it exports fusion",
        "DIR/mine.ts",
        /A plugin file ends in: export default definePlugin\(/,
      ],
    ],
    [
      "of an unknown kind",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": plugin("mine", "fuson") },
      [
        './mine.ts: plugin mine is of the unknown kind "fuson". Did you mean "fusion"? Known: balancer, dataset, encoder, engine, fusion, objective, optimizer.',
        "DIR/mine.ts",
        /./,
      ],
    ],
    [
      "that lacks a part",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": 'export default { kind: "fusion", name: "mine" };\n' },
      [/^\.\/mine\.ts: fusion mine lacks a summary of one line, options.*, a function create/, "DIR/mine.ts", /./],
    ],
    [
      "whose name is taken by merclab",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": plugin("concat") },
      [
        'the name of fusion "concat" is taken: merclab itself has one',
        "DIR/mine.ts",
        'Give it another name, e.g. "my-concat".',
      ],
    ],
    [
      "whose name is taken by a choice of merclab's configs",
      { "merclab.yaml": plugins("./mine.ts"), "mine.ts": plugin("ada2i-unbalanced") },
      [/the name of fusion "ada2i-unbalanced" is taken: merclab itself has one/],
    ],
    [
      "whose name is taken by another one",
      { "merclab.yaml": plugins("./a.ts", "./b.ts"), "a.ts": plugin("mine"), "b.ts": plugin("mine") },
      ['the name of fusion "mine" is taken: ./a.ts has one', "DIR/b.ts", /./],
    ],
    [
      "when merclab.yaml is wrong",
      { "merclab.yaml": "plugin: [./a.ts]\n" },
      [/^unknown key "plugin"\. Did you mean "plugins"\?/, "DIR/merclab.yaml:1"],
    ],
  ])("%s", async (_, files, says) => {
    const told = await refusalOf(folderWith(files));
    says.forEach((line, i) => {
      expect(told[i]).toEqual(typeof line === "string" ? line : expect.stringMatching(line));
    });
  });
});

describe("plugins that load", () => {
  test("come with the hash of their code and of all that it imports, wherever the folder lies", async () => {
    const files = {
      "merclab.yaml": plugins("./a.ts", "./lib/b.js"),
      "a.ts": `import "./lib/help.ts";\n${plugin("a")}`,
      "lib/help.ts": "export const x: number = 1;\n",
      "lib/b.js": `export const plugins = [${["b", "c"].map((name) => plugin(name).slice(15, -2)).join(", ")}];\n`,
    };
    const codes = async (changed: Readonly<Record<string, string>>) =>
      (await loadUserPlugins(folderWith({ ...files, ...changed }))).map((each) => each.plugins.map(({ code }) => code));
    const [first, second] = await codes({});
    expect(first).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{16}$/)]);
    expect(second).toHaveLength(2);
    expect(await codes({})).toEqual([first, second]);
    const changed = await codes({ "lib/help.ts": "export const x: number = 2;\n" });
    expect(changed[0]).not.toEqual(first);
    expect(changed[1]).toEqual(second);
  });

  test("are added to merclab.yaml beside what stands there", async () => {
    const folder = folderWith({ "merclab.yaml": "# my plugins\nplugins:\n  - ./a.ts # first\n" });
    addPluginEntry(folder, "./b.ts");
    expect((await readPluginEntries(folder)).map(({ entry, where }) => [entry, where.replace(folder, "DIR")])).toEqual([
      ["./a.ts", "DIR/merclab.yaml:3"],
      ["./b.ts", "DIR/merclab.yaml:4"],
    ]);
    const fresh = folderWith({});
    expect(await readPluginEntries(fresh)).toEqual([]);
    addPluginEntry(fresh, "./b.ts");
    expect((await readPluginEntries(fresh)).map(({ entry }) => entry)).toEqual(["./b.ts"]);
  });
});
