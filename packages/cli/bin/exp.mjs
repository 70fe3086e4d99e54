#!/usr/bin/env node
// Starts the command: as it was built, since its four hundred modules take seconds to load from their TypeScript; or
// from these sources where nothing may be written.
import { existsSync } from "node:fs";
import { findBuilt } from "./built.mjs";

/** Names plugins of the user's own: packages/cli/src/user-plugins/settings.ts. */
const SETTINGS_FILE = "merclab.yaml";

const built = await findBuilt().catch((error) => {
  console.error(error.message);
  process.exit(2);
});
if (built === undefined) {
  await import("./register.mjs");
  await import("../src/main.ts");
} else {
  process.setSourceMapsEnabled(true);
  if (existsSync(SETTINGS_FILE)) {
    const { register } = await import("node:module");
    register("./own-copies.mjs", import.meta.url, { data: built.copies });
  }
  await import(built.main);
}
