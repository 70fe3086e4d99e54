// What `exp data check` finds beyond what keeps a folder from being loaded.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { checkFolder } from "../src/index.ts";
import { changed, csv, npy, tinyDescription, tinyRows, values, writeFolder } from "./tiny-folder.ts";

test("constant and duplicate columns, vectors of zeros, NaN and infinities are counted", async () => {
  const data = values(10, 4);
  for (let row = 0; row < 10; row++) {
    data[4 * row + 1] = 7;
    data[4 * row + 3] = data[4 * row + 2] ?? 0;
  }
  data.fill(0, 8, 12);
  data[0] = Number.NaN;
  data[4] = Number.NEGATIVE_INFINITY;
  const description = tinyDescription();
  const folder = await writeFolder({
    "text.npy": npy(data, [10, 4]),
    "dataset.yaml": { ...description, modalities: { ...description.modalities, text: { file: "text.npy" } } },
  });
  const report = await checkFolder(folder);
  expect(report.modalities[0]).toMatchObject({
    name: "text",
    constantColumns: [],
    duplicateColumns: [[3, 2]],
    zeroVectors: 1,
    notANumber: 1,
    infinite: 1,
    missing: 0,
  });
  expect(report.problems.map(({ message }) => message)).toEqual([
    "text: NaN in the features (2 values, this is the first)",
  ]);
  expect(report.warnings.join()).toContain("1 vectors are all zeros");
});

test("utterances of test whose features are in train, and long sentences that are", async () => {
  const [text, audio] = [values(10, 3), values(10, 2)];
  text.copyWithin(27, 0, 3); // row 9 (test) = row 0 (train)
  audio.copyWithin(18, 0, 2);
  const said = ["one two three four five six", "short one"];
  const rows = tinyRows().map((row, at) => ({ ...row, said: at % 2 === 0 ? `${said[0]} ${at % 8}` : (said[1] ?? "") }));
  const description = tinyDescription();
  const folder = await writeFolder({
    "text.npy": npy(text, [10, 3]),
    "audio.npy": npy(audio, [10, 2]),
    "utterances.csv": csv(rows),
    "dataset.yaml": { ...description, columns: { ...description.columns, text: "said" } },
  });
  const { warnings } = await checkFolder(folder);
  expect(warnings).toEqual([
    '1 utterances of test have the features of one in train in every modality: "e/1" equals "a/0"',
    '1 sentences of 6 words and more of test are in train, too: "one two three four five six 0"',
  ]);
});

test("speakers of test who speak in train, where they are persons and not roles", async () => {
  const named = tinyRows().map((row) => ({ ...row, speaker: row.order === "0" ? "Ross" : `Guest ${row.dialogue}` }));
  const folder = await writeFolder({
    "utterances.csv": csv(named),
    "dataset.yaml": { ...tinyDescription(), speakers: { column: "speaker", perDialogue: 2 } },
  });
  const { sharedSpeakers, warnings } = await checkFolder(folder);
  expect(sharedSpeakers).toEqual([
    { split: "valid", shared: 1, speakers: 2 },
    { split: "test", shared: 1, speakers: 2 },
  ]);
  expect(warnings).toContain("1 of 2 speakers of test speak in train, too");
  expect((await checkFolder(await writeFolder())).sharedSpeakers).toEqual([]);
});

test("known broken clips of MELD, in either way of numbering", async () => {
  const rows = (ids: readonly string[]) =>
    tinyRows().map((row) => ({
      ...row,
      dialogue: ids["abcde".indexOf(row.dialogue ?? "")] ?? "",
      order: row.order === "0" ? "3" : "4",
    }));
  const check = async (ids: readonly string[]) =>
    (
      await checkFolder(
        await writeFolder({ "utterances.csv": csv(rows(ids)), "dataset.yaml": { ...tinyDescription(), name: "meld" } }),
      )
    ).warnings;
  const told =
    "clips of MELD that are known to be broken: train dia125 utt3, test dia38 utt4; some pipelines drop them";
  expect(await check(["125", "2", "3", "1040", "1191"])).toContain(told);
  expect(await check(["train_dia125", "train_dia2", "train_dia3", "valid_dia1", "test_dia38"])).toContain(told);
});

test("a file that is not what was written", async () => {
  const table = csv(changed(3, { emotion: "calm" }));
  const sha256 = createHash("sha256").update(table).digest("hex");
  const described = (checksum: string) => ({ ...tinyDescription(), checksums: { "utterances.csv": checksum } });
  const same = await writeFolder({ "utterances.csv": table, "dataset.yaml": described(sha256) });
  expect((await checkFolder(same)).problems).toEqual([]);
  const other = await writeFolder({ "dataset.yaml": described(sha256) });
  expect((await checkFolder(other)).problems[0]?.message).toContain("its checksum differs");
});
