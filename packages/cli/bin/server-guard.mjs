#!/usr/bin/env node
// Runs a command as the leader of a process group and ends the whole group when standard input ends: when whoever
// started this says so, or is gone, in whatever way. Without it a server would outlive a command that was killed.
import { spawn } from "node:child_process";

const GRACE_MS = 5_000;

const [command, ...args] = process.argv.slice(2);
const server = spawn(command, args, { detached: true, stdio: ["ignore", "inherit", "inherit"] });
server.on("error", (error) => {
  console.error(error.message);
  process.exit(127);
});
// Workers of a leader that is gone belong to the group still.
server.on("exit", (code) => {
  signalGroup("SIGKILL");
  process.exit(code ?? 1);
});

function signalGroup(signal) {
  try {
    process.kill(-server.pid, signal);
  } catch {
    // the group is gone
  }
}

let isEnding = false;
function end() {
  if (!isEnding) {
    isEnding = true;
    signalGroup("SIGTERM");
    setTimeout(() => signalGroup("SIGKILL"), GRACE_MS);
  }
}

process.stdin.on("end", end).on("close", end).on("error", end).resume();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, end);
}
