// The `exp` command. Only the modules of the sub-command that is called are loaded.
import { MerclabError } from "@merclab/core";
import { Command, CommanderError } from "commander";
import { EXIT, printError } from "./output.ts";

/** In the order of the help. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./commands/run.ts")).runCommand(),
  plan: async () => (await import("./commands/plan.ts")).planCommand(),
  table: async () => (await import("./commands/table.ts")).tableCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  diff: async () => (await import("./commands/diff.ts")).diffCommand(),
  ls: async () => (await import("./commands/ls.ts")).lsCommand(),
  show: async () => (await import("./commands/show.ts")).showCommand(),
  predict: async () => (await import("./commands/predict.ts")).predictCommand(),
  stress: async () => (await import("./commands/stress.ts")).stressCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  data: async () => (await import("./commands/data.ts")).dataCommand(),
  new: async () => (await import("./commands/new.ts")).newCommand(),
  plugin: async () => (await import("./commands/plugin.ts")).pluginCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  trial: async () => (await import("./commands/trial.ts")).trialCommand(),
};

const program = new Command("exp").description(
  "merclab: a laboratory for multimodal emotion recognition in conversations",
);
const called = process.argv[2] ?? "";
// Help, and what is misspelt, speaks of all.
for (const name of Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS)) {
  const command = await COMMANDS[name]?.();
  if (command !== undefined) {
    program.addCommand(command, { hidden: name === "trial" });
  }
}

// Sub-commands inherit neither.
for (const command of allCommands(program)) {
  command.exitOverride().showHelpAfterError("Run with --help to see what is possible.");
}

// `exp table … | head` closes the pipe early; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") {
    throw error;
  }
  process.exit(EXIT.done);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
  if (!(error instanceof CommanderError)) {
    printError(error, process.argv.includes("--json"));
  }
}

function* allCommands(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) {
    yield* allCommands(child);
  }
}

/** Commander says itself what is wrong with the arguments; errors of these kinds mean that nothing was started. */
function exitCode(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  const usage =
    error instanceof MerclabError && ["config", "data", "combination", "engine", "storage"].includes(error.code);
  return usage ? EXIT.usage : EXIT.failed;
}
