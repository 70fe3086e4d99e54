// Files by their first bytes: what each format gives, and what is no feature file at all.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSafetensors } from "@merclab/core";
import type { NdArray } from "@merclab/pickle";
import { zipSync } from "fflate";
import { afterAll, describe, expect, test } from "vitest";
import { importFile, openFile } from "../src/index.ts";
import { errorOf, npy } from "./tiny-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "merclab-open-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const VIDEOS = ["03bSnISJMiM", "_dI--eQ6qVU", "0h-zjBukYpk", "1DmNV9C1hbY", "5W7Z1C_fDaE", "c5xsKMxpXnc"];

test("safetensors: tensors by name, joined by dialogue", async () => {
  const lengths = [2, 1, 3, 2, 2, 1];
  const tensors = new Map(
    VIDEOS.map((id, at) => {
      const rows = lengths[at] ?? 0;
      return [id, { shape: [rows, 2], data: Float32Array.from({ length: rows * 2 }, (_, i) => 10 * at + i + 1) }];
    }),
  );
  const text = file("text.safetensors", encodeSafetensors(tensors));
  const opened = await openFile(text);
  expect(opened.format).toBe("safetensors");
  expect([...((opened.value as Map<string, NdArray>).get("0h-zjBukYpk")?.toFloat32() ?? [])]).toEqual([
    21, 22, 23, 24, 25, 26,
  ]);
  opened.close();
  const path = join(import.meta.dirname, "fixtures/layouts/gcnet/CMUMOSI_features_raw_2way.pkl");
  const report = await importFile({ path, out: join(folder, "mosi"), features: { text } });
  expect(report.modalities).toEqual([{ name: "text", width: 2, missing: 0, nonFinite: 0 }]);
  const other = file(
    "other.safetensors",
    encodeSafetensors(new Map([["x", { shape: [1, 2], data: new Float32Array(2) }]])),
  );
  expect(await errorOf(importFile({ path, out: join(folder, "none"), features: { text: other } }))).toContain(
    "neither dialogue",
  );
});

test("npz: arrays by name", async () => {
  const { value } = await openFile(
    file("two.npz", zipSync({ "a.npy": npy(Float32Array.of(1, 2), [2]), "b.npy": npy(Float64Array.of(3), [1]) })),
  );
  const arrays = value as Map<string, NdArray>;
  expect([...arrays.keys()]).toEqual(["a", "b"]);
  expect([...(arrays.get("a")?.toFloat32() ?? [])]).toEqual([1, 2]);
});

test("HDF5: a damaged chunk is an error, never zeros", () => {
  // In a process of its own: the library cannot be used again after a damaged file.
  const intact = readFileSync(join(import.meta.dirname, "fixtures/layouts/mmsa/unaligned_50.h5"));
  const damaged = Buffer.from(intact);
  // The first deflated chunk begins with zlib's header.
  damaged.fill(0xee, damaged.indexOf(Buffer.of(0x78, 0x5e)) + 2, damaged.indexOf(Buffer.of(0x78, 0x5e)) + 12);
  const path = file("damaged.h5", damaged);
  const code = `
    import { importFile } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
    try {
      await importFile({ path: ${JSON.stringify(path)}, out: ${JSON.stringify(join(folder, "damaged"))} });
    } catch (error) {
      console.log(error.name, error.message);
    }`;
  const tsx = createRequire(import.meta.url).resolve("tsx/esm");
  const printed = execFileSync(process.execPath, ["--import", tsx, "--input-type=module", "-e", code], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(printed).toBe("MerclabError cannot be read as HDF5: it is cut off or damaged\n");
});

describe("what is no feature file says what it is", () => {
  const whole = npy(Float32Array.from({ length: 12 }), [4, 3]);
  test.each([
    ["lfs.pkl", "version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"],
    ["page.pkl", "<!DOCTYPE html><html>", "this is a web page"],
    ["empty.pkl", "", "the file is empty"],
    ["model.pt", zipSync({ "data.pkl": new Uint8Array(2) }), "torch.save"],
    ["cut.npy", whole.subarray(0, -4), "cut off or damaged"],
    ["cut.h5", Buffer.from("\x89HDF\r\n\x1a\n cut off", "latin1"), "cannot be read as HDF5"],
    ["cut.npz", Buffer.from("PK\x03\x04 cut off", "latin1"), "cannot be read as .npz"],
    ["bomb.safetensors", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]), "cut off, or damaged"],
    ["text.pkl", "Dear reader", "is no opcode: this is no pickle"],
  ])("%s", async (name, content, message) => {
    expect(await errorOf(openFile(file(name, content)))).toContain(message);
  });

  test("a zip that unpacks to petabytes", async () => {
    const zip = Buffer.from(zipSync({ "a.npy": new Uint8Array(100) }));
    // The size that the central directory states.
    zip.writeUInt32LE(0xf0000000, zip.indexOf("PK\x01\x02", 0, "latin1") + 24);
    expect(await errorOf(openFile(file("bomb.npz", zip)))).toContain("more than 2 GB");
  });
});
