// Python's own client as a second reader of what was written.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { MlflowServer } from "../server.ts";

/** Runs a script with the server's address and `args` as arguments. @returns its standard output */
export async function python(server: MlflowServer, script: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, MLFLOW_TRACKING_URI: server.uri, MLFLOW_DISABLE_TELEMETRY: "true" };
  const { stdout } = await promisify(execFile)(server.python, ["-c", script, server.uri, ...args], {
    env,
    timeout: 60_000,
  });
  return stdout;
}
