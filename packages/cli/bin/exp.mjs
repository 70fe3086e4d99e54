#!/usr/bin/env node
// Starts the command from its TypeScript sources.
import "./register.mjs";

await import("../src/main.ts");
