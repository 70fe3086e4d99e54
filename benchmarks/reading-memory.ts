// Peak memory of `exp data import` on a pickle of 545 MB in SDT's layout (three times IEMOCAP's shape, synthetic values).
//   MERCLAB_PYTHON=python npx tsx benchmarks/reading-memory.ts [--times 3]      (Python with numpy)
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { times: { type: "string", default: "3" } } });
const folder = mkdtempSync(join(tmpdir(), "merclab-memory-"));
const path = join(folder, "iemocap_multimodal_features.pkl");

try {
  const script = join(import.meta.dirname, "reading-pickle.py");
  execFileSync(process.env.MERCLAB_PYTHON ?? "python3", [script, "write", path, options.times], { stdio: "inherit" });
  const code = `
    import { importFile } from ${JSON.stringify(new URL("../packages/data/src/index.ts", import.meta.url).href)};
    const start = performance.now();
    await importFile({ path: ${JSON.stringify(path)}, out: ${JSON.stringify(join(folder, "out"))}, textLayers: "concat" });
    console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, peak: process.resourceUsage().maxRSS * 1024 }));`;
  const tsx = createRequire(new URL("../packages/data/package.json", import.meta.url)).resolve("tsx/esm");
  const printed = execFileSync(process.execPath, ["--import", tsx, "--input-type=module", "-e", code], {
    encoding: "utf8",
  });
  const { seconds, peak } = JSON.parse(printed) as { seconds: number; peak: number };
  const { size } = statSync(path);
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  console.log(
    `file ${mb(size)} MB, peak ${mb(peak)} MB: ${(peak / size).toFixed(2)} times its size; ${seconds.toFixed(1)} s`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
