// Conformance cases 37 and 38: files through the server's proxy.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MlflowClient } from "../../src/index.ts";
import type { Conformance } from "./context.ts";

export function artifactsCases(given: () => Conformance, major: number): void {
  const listing = async (runId: string, path?: string) => {
    const files = [];
    for await (const file of given().client.listArtifacts(runId, path)) files.push(file);
    return files;
  };
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  it("37, 38 text, binary, empty and nested files arrive and come back equal", async () => {
    const { client, folder, newRun } = given();
    const id = await newRun();
    const source = join(folder, "tree");
    await mkdir(join(source, "deep", "er"), { recursive: true });
    const names = ["a.txt", "empty.bin", "sp ace.txt", "100%.txt", "q?&=;+:'.txt", "deep/er/data.bin", ".hidden"];
    if (major >= 3) names.push("é✓😀.txt"); // 2.22 takes the upload and drops the connection of the download
    for (const name of names) await writeFile(join(source, name), name === "empty.bin" ? "" : randomBytes(3000));
    expect(await client.logArtifacts(id, source, { artifactPath: "all" })).toEqual(
      names.map((name) => `all/${name}`).sort(),
    );
    for (const name of names) {
      const to = join(folder, "back", name);
      const { bytes, sha256: hash } = await client.downloadArtifact(id, `all/${name}`, to);
      const original = await readFile(join(source, name));
      expect([name, bytes, hash]).toEqual([name, original.length, sha256(original)]);
      expect(await readFile(to)).toEqual(original);
    }
    expect(await listing(id)).toEqual([{ path: "all", isDir: true, fileSize: undefined }]);
    const top = names.filter((name) => !name.includes("/"));
    const expected = top.map((name) => ({
      path: `all/${name}`,
      isDir: false,
      fileSize: name === "empty.bin" ? 0 : 3000,
    }));
    const listed = await listing(id, "all");
    expect(listed.filter(({ isDir }) => !isDir).sort(byPath)).toEqual(expected.sort(byPath));
    expect(listed.filter(({ isDir }) => isDir).map(({ path }) => path)).toEqual(["all/deep"]);
    expect(await listing(id, "nothing/here")).toEqual([]);
  });

  it("37 names the client refuses: `#` fails on the server, %20 would be stored under another name", async () => {
    const { server, client, newRun } = given();
    const id = await newRun();
    const { info } = await client.getRun(id);
    const put = async (name: string) => {
      const path = info.artifactUri.replace("mlflow-artifacts:", "/api/2.0/mlflow-artifacts/artifacts");
      const response = await fetch(`${server.uri}${path}/${encodeURIComponent(name)}`, {
        method: "PUT",
        body: "x",
      });
      await response.text();
      return response.status;
    };
    expect([await put("a#b.txt"), await put("a%20b.txt")]).toEqual([400, 200]);
    expect((await listing(id)).map(({ path }) => path)).toEqual(["a b.txt"]);
  });

  // 2.22 sends random bytes in chunks of a "line" each, so slowly that gunicorn's limit of 30 s comes into reach.
  it.each([major >= 3 ? 50_000_000 : 5_000_000])(
    "37 a file of %d bytes streams both ways",
    async (size) => {
      const { client, folder, newRun } = given();
      const id = await newRun();
      const bytes = randomBytes(size);
      await writeFile(join(folder, "big.bin"), bytes);
      expect(await client.logArtifact(id, join(folder, "big.bin"))).toBe("big.bin");
      const result = await client.downloadArtifact(id, "big.bin", join(folder, "big.back"));
      expect(result).toEqual({ bytes: size, sha256: sha256(bytes) });
    },
    120_000,
  );

  it("logText, logDict and overwriting", async () => {
    const { client, folder, newRun } = given();
    const id = await newRun();
    await client.logText(id, "first", "notes/a.txt");
    await client.logText(id, "zweite ü", "notes/a.txt");
    await client.logDict(id, { f1: [0.5, Number.NaN], name: "ü" }, "metrics.json");
    await client.downloadArtifact(id, "notes/a.txt", join(folder, "a.txt"));
    await client.downloadArtifact(id, "metrics.json", join(folder, "m.json"));
    expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("zweite ü");
    expect(JSON.parse(await readFile(join(folder, "m.json"), "utf8"))).toEqual({ f1: [0.5, "NaN"], name: "ü" });
  });

  it("a missing artifact is an error and leaves no file behind; so is a missing local file", async () => {
    const { server, client, folder, newRun } = given();
    const id = await newRun();
    const to = join(folder, "never.txt");
    // 2.22 answers 500 INTERNAL_ERROR, hence no retries here.
    const once = new MlflowClient({ trackingUri: server.uri, env: {}, retry: { attempts: 1 } });
    await expect(once.downloadArtifact(id, "nope.txt", to)).rejects.toMatchObject({
      kind: "api",
      ...(major >= 3 && { errorCode: "RESOURCE_DOES_NOT_EXIST" }),
    });
    await expect(readFile(to)).rejects.toThrow();
    await expect(client.logArtifact(id, join(folder, "absent"))).rejects.toMatchObject({
      kind: "config",
      code: "LOCAL_FILE",
    });
  });
}

const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
