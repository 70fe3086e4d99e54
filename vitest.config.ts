import { configDefaults, defineConfig } from "vitest/config";

/** Of a fresh process each: they watch what a process holds, what its rules did, or what it found out at its start. */
const ALONE = [
  "packages/engine-onnx/test/probe.test.ts",
  "packages/jit/test/jit.test.ts",
  "packages/jit/test/rules-*.test.ts",
  "test/trial-leaks.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    testTimeout: 60_000,
    maxWorkers: "100%", // vitest's own choice leaves a core idle
    projects: [
      {
        // One process for many files: loading tfjs and merclab again for each, cold, took nearly half of all time.
        extends: true,
        test: {
          name: "shared",
          include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ALONE],
          isolate: false,
          setupFiles: ["test/support/fresh-backend.ts"],
        },
      },
      { extends: true, test: { name: "alone", include: ALONE } },
      {
        // The rules' own tests once more, on a GPU.
        extends: true,
        test: {
          name: "webgpu",
          include: ["packages/jit/test/rules-*.test.ts"],
          exclude: ["**/rules-coverage.test.ts"],
          env: { JIT_TEST_DEVICE: "webgpu" },
          globalSetup: ["packages/jit/test/webgpu-global-setup.ts"],
          setupFiles: ["packages/jit/test/webgpu-setup.ts"],
        },
      },
    ],
  },
});
