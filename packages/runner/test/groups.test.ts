// Config groups: where choices come from, and what they may bring along.
import { join } from "node:path";
import { expect, test } from "vitest";
import { createConfigGroups } from "../src/index.ts";
import { createRegistry, errorOf, temporaryFolder, write } from "./support.ts";

function groupsOf(files: Readonly<Record<string, string>>) {
  const folder = temporaryFolder();
  write(folder, files);
  return { folder, groups: createConfigGroups([join(folder, "mine"), join(folder, "shipped")], createRegistry()) };
}

test("the user's own folder comes before the shipped one", async () => {
  const { groups, folder } = groupsOf({
    "mine/fusion/lmam.yaml": "options: { rank: 7 }",
    "shipped/fusion/lmam.yaml": "options: { rank: 4 }",
    "shipped/fusion/wide.yaml": "plugin: lmam\noptions:\n  rank: 32",
  });
  expect((await groups.choice("fusion", "lmam", undefined)).options).toEqual([
    { key: "fusion.rank", value: 7, where: `${folder}/mine/fusion/lmam.yaml:1` },
  ]);
  expect(await groups.choice("fusion", "wide", undefined)).toMatchObject({
    plugin: "lmam",
    options: [{ key: "fusion.rank", value: 32, where: `${folder}/shipped/fusion/wide.yaml:3` }],
  });
});

test("a plugin without a file is a choice with its own defaults; the trainer has no plugins", async () => {
  const { groups } = groupsOf({});
  expect(await groups.choice("fusion", "lmam", undefined)).toMatchObject({ plugin: "lmam", options: [], with: [] });
  expect(await groups.choice("trainer", "default", undefined)).toMatchObject({ plugin: undefined });
});

test("names are those of files and plugins, each once", async () => {
  const { groups } = groupsOf({ "mine/fusion/lmam.yaml": "{}", "shipped/fusion/wide.yaml": "plugin: lmam" });
  expect(await groups.names("fusion")).toEqual(["lmam", "sdt", "wide"]);
});

test("an unknown name is told at its place, with the nearest one, and each place is told anew", async () => {
  const { groups } = groupsOf({ "mine/fusion/wide.yaml": "plugin: lmam" });
  for (const where of ["study.yaml:7", "study.yaml:9"]) {
    expect(await errorOf(() => groups.choice("fusion", "lman", where))).toBe(
      `config | ${where} | unknown fusion "lman" | Did you mean "lmam"? Known: lmam, sdt, wide.`,
    );
  }
});

test("a name cannot lead out of its folder", async () => {
  const { groups } = groupsOf({ "secret.yaml": "plugin: lmam" });
  expect(await errorOf(() => groups.choice("fusion", "../../secret", "here"))).toMatch('unknown fusion "../../secret"');
});

test("`with` speaks of later groups only", async () => {
  const { groups, folder } = groupsOf({
    "mine/fusion/good.yaml": "plugin: lmam\nwith: { objective: cross-entropy, optimizer.lr: 0.1 }",
    "mine/fusion/bad.yaml": "plugin: lmam\nwith:\n  objective: cross-entropy\n  encoder.dim: 8",
    "mine/fusion/self.yaml": "plugin: lmam\nwith:\n  fusion.rank: 8",
  });
  expect((await groups.choice("fusion", "good", undefined)).with.map(({ key }) => key)).toEqual([
    "objective",
    "optimizer.lr",
  ]);
  expect(await errorOf(() => groups.choice("fusion", "bad", "x"), folder)).toBe(
    'config | DIR/mine/fusion/bad.yaml:4 | "with" of fusion bad cannot set "encoder.dim" | ' +
      "It may speak of objective, balancer, optimizer, trainer, engine.",
  );
  expect(await errorOf(() => groups.choice("fusion", "self", "x"), folder)).toMatch(/self.yaml:3 .*"fusion.rank"/);
});

test("a file with an unknown key or plugin is refused with its line", async () => {
  const { groups, folder } = groupsOf({
    "mine/fusion/a.yaml": "summary: A\noption: { rank: 4 }",
    "mine/fusion/b.yaml": "summary: B\nplugin: lmamm",
  });
  expect(await errorOf(() => groups.choice("fusion", "a", "x"), folder)).toMatch(
    /^config \| DIR\/mine\/fusion\/a.yaml:2 \| unknown key "option". Did you mean "options"\?/,
  );
  expect(await errorOf(() => groups.choice("fusion", "b", "x"), folder)).toBe(
    'config | DIR/mine/fusion/b.yaml:2 | fusion b wants the unknown plugin "lmamm" | ' +
      'Did you mean "lmam"? Known: lmam, sdt.',
  );
});
