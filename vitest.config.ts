import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "forks",
    testTimeout: 60_000,
    maxWorkers: "100%", // vitest's own choice leaves a core idle
    projects: [
      { extends: true, test: { name: "all", include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"] } },
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
