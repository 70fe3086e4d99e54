import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@merclab/source"] },
  ssr: { resolve: { conditions: ["@merclab/source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    testTimeout: 60_000,
  },
});
