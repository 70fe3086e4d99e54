// The examples of the README, run as they stand by a Node of their own in an empty folder.

import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { Conformance } from "./context.ts";

const SOURCE = new URL("../../src/index.ts", import.meta.url).href;

export function readmeCases(given: () => Conformance, major: number): void {
  it.runIf(major >= 3)("the README's examples run", async () => {
    const { client, server, folder } = given();
    const readme = await readFile(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
    const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
    expect(examples.length).toBeGreaterThanOrEqual(2);
    const place = join(folder, "readme");
    await mkdir(join(place, "out", "plots"), { recursive: true });
    await writeFile(join(place, "out", "plots", "curve.svg"), "<svg/>");
    const program = examples.join("\n").replaceAll('"mlflow-js-client"', JSON.stringify(SOURCE));
    await writeFile(join(place, "readme.mts"), program);
    const { MLFLOW_TRACKING_URI: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", import.meta.resolve("tsx"), "readme.mts"],
      { cwd: place, env: { ...env, MLFLOW_TRACKING_URI: server.uri }, timeout: 60_000 },
    );
    expect(stdout).toContain("4999 0.0002\n");
    expect(stdout).toContain("gated fusion, seed 1 0.71\n");
    const experiment = await client.getExperimentByName("iemocap");
    const models: string[] = [];
    for await (const { name, status } of client.searchLoggedModels({ experimentIds: [experiment?.experimentId ?? ""] }))
      models.push(`${name} ${status}`);
    expect(models).toEqual(["gated READY"]);
  });
}
