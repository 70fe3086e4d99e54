// Compiles the WebAssembly kernels of packages/*/assembly with AssemblyScript, and stores them as TypeScript modules
// beside the code that uses them. With --check it only compares: what is stored must be what the sources give.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ASSEMBLYSCRIPT = "assemblyscript@0.28.20";
const MODULES = [
  { source: "packages/core/assembly/dropout.ts", stored: "packages/core/src/random/dropout.wasm.ts" },
  { source: "packages/jit/assembly/optimizers.ts", stored: "packages/jit/src/host-kernels/optimizers.wasm.ts" },
];

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");
const folder = mkdtempSync(join(tmpdir(), "merclab-wasm-"));
try {
  for (const { source, stored } of MODULES) {
    const binary = join(folder, "kernel.wasm");
    const options = [
      ...["--enable", "simd", "--runtime", "stub", "-O3", "--converge", "--noAssert"],
      ...["--importMemory", "--noExportMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
    ];
    execFileSync("npx", ["-y", "-p", ASSEMBLYSCRIPT, "asc", source, ...options, "-o", binary], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    });
    const text = [
      `// Made of ${source} by "pnpm build:wasm"; not to be edited.`,
      "export const BINARY =",
      `  "${readFileSync(binary).toString("base64")}";`,
      "",
    ].join("\n");
    if (!check) {
      writeFileSync(join(root, stored), text);
    } else if (readFileSync(join(root, stored), "utf8") !== text) {
      console.error(`${stored} is not what ${source} gives: run "pnpm build:wasm"`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
