// Calls a scheduler's command.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MerclabError } from "@merclab/core";

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;

/**
 * @param name what a user knows it by, where that is not the command
 * @returns what it prints
 * @throws MerclabError `config` with what it says, when it is missing, fails or does not end
 */
export async function call(command: string, args: readonly string[], hint?: string, name = command): Promise<string> {
  try {
    const { stdout } = await run(command, args, {
      timeout: TIMEOUT_MS,
      maxBuffer: 256 * 2 ** 20,
      // Else lists of indices are cut after 64 characters.
      env: { ...process.env, SLURM_BITSTR_LEN: "0" },
    });
    return stdout;
  } catch (cause) {
    const { code, stderr, killed, message } = cause as Error & { code?: unknown; stderr?: string; killed?: boolean };
    if (code === "ENOENT") {
      throw new MerclabError("config", `${command} is not installed here`, {
        hint: hint ?? "Submit from a machine of the cluster, or choose another launcher.",
        cause,
      });
    }
    const said = killed === true ? `no answer within ${TIMEOUT_MS / 1000} s` : (stderr ?? "").trim() || message;
    throw new MerclabError("config", `${name} failed: ${said}`, { hint, cause });
  }
}
