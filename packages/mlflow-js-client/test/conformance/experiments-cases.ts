// Conformance cases 1 to 9: the server's health, and experiments.

import { expect, it } from "vitest";
import type { Experiment } from "../../src/index.ts";
import type { Conformance } from "./context.ts";

export function experimentsCases(given: () => Conformance, major: number): void {
  it("1 health and version answer", async () => {
    const { server, client } = given();
    expect(await client.serverInfo()).toEqual({ version: server.version });
  });

  it("2 a created experiment's id is a decimal string", async () => {
    const { client, unique } = given();
    expect(await client.createExperiment(unique("e"))).toMatch(/^\d+$/);
  });

  it("3 the same name again is RESOURCE_ALREADY_EXISTS", async () => {
    const { client, unique, refusal } = given();
    const name = unique("e");
    await client.createExperiment(name);
    const error = await refusal(() => client.createExperiment(name));
    expect(error).toMatchObject({ errorCode: "RESOURCE_ALREADY_EXISTS", httpStatus: 400 });
  });

  it("4 a missing experiment is undefined by name and an error by id", async () => {
    const { client, unique, refusal } = given();
    expect(await client.getExperimentByName(unique("missing"))).toBeUndefined();
    expect(await refusal(() => client.getExperiment("987654"))).toMatchObject({
      errorCode: "RESOURCE_DOES_NOT_EXIST",
    });
  });

  it("5 twenty parallel getOrCreate of one name give one id", async () => {
    const { client, unique } = given();
    const name = unique("race");
    const all = await Promise.all(Array.from({ length: 20 }, () => client.getOrCreateExperiment(name)));
    expect(new Set(all.map((experiment) => experiment.experimentId)).size).toBe(1);
    expect(all[0]).toMatchObject({ name, lifecycleStage: "active" });
  });

  it("6 a deleted experiment's name is a clear error, and restoring it works", async () => {
    const { client, unique } = given();
    const name = unique("deleted");
    const { experimentId: id } = await client.getOrCreateExperiment(name);
    await client.deleteExperiment(id);
    await expect(client.getOrCreateExperiment(name)).rejects.toMatchObject({
      kind: "deleted",
      resource: "experiment",
      id,
    });
    expect(await client.getExperimentByName(name)).toMatchObject({ lifecycleStage: "deleted" });
    await client.restoreExperiment(id);
    expect(await client.getOrCreateExperiment(name)).toMatchObject({ experimentId: id, lifecycleStage: "active" });
  });

  it("7 a name of 500 characters is accepted, one of 501 refused by the server", async () => {
    const { client, unique, raw } = given();
    await client.createExperiment(unique("n").padEnd(500, "n"));
    const { status, text } = await raw("/experiments/create", { name: "n".repeat(501) });
    expect([status, text]).toEqual([400, expect.stringContaining("INVALID_PARAMETER_VALUE")]);
  });

  it("8 experiment tags are set, overwritten and read", async () => {
    const { client, unique } = given();
    const id = await client.createExperiment(unique("e"), { tags: { a: "1", b: "ü 😀" } });
    await client.setExperimentTag(id, "a", "2");
    await client.setExperimentTag(id, "long", "x".repeat(5000));
    const { tags, creationTime } = await client.getExperiment(id);
    expect([tags.get("a"), tags.get("b"), tags.get("long")?.length]).toEqual(["2", "ü 😀", 5000]);
    expect(Math.abs((creationTime ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it("an experiment is renamed, twice to the same name, and not to a name that is taken", async () => {
    const { client, unique, refusal } = given();
    const [before, after] = [unique("before"), unique("after")];
    const id = await client.createExperiment(before);
    for (let round = 0; round < 2; round++) await client.renameExperiment(id, after);
    expect((await client.getExperiment(id)).name).toBe(after);
    expect(await client.getExperimentByName(before)).toBeUndefined();
    const taken = unique("taken");
    await client.createExperiment(taken);
    await refusal(() => client.renameExperiment(id, taken));
    await expect(client.renameExperiment(id, "")).rejects.toMatchObject({ kind: "limit" });
  });

  it.runIf(major >= 3)("an experiment's tag is deleted; an absent one is RESOURCE_DOES_NOT_EXIST", async () => {
    const { client, unique, refusal } = given();
    const id = await client.createExperiment(unique("e"), { tags: { a: "1", b: "2" } });
    await client.deleteExperimentTag(id, "a");
    expect([...(await client.getExperiment(id)).tags.keys()]).toEqual(["b"]);
    const error = await refusal(() => client.deleteExperimentTag(id, "a"));
    expect(error.errorCode).toBe("RESOURCE_DOES_NOT_EXIST");
  });

  it("9 searching experiments pages with one per page", async () => {
    const { client, unique } = given();
    const stem = unique("page");
    for (const letter of ["a", "b", "c"]) await client.createExperiment(`${stem}-${letter}`);
    const found: Experiment[] = [];
    const options = { filter: `name LIKE '${stem}-%'`, orderBy: ["name DESC"], pageSize: 1 };
    for await (const experiment of client.searchExperiments(options)) found.push(experiment);
    expect(found.map(({ name }) => name.at(-1))).toEqual(["c", "b", "a"]);
  });
}
