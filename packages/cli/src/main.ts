// The `exp` command.
import { MerclabError } from "@merclab/core";
import { Command, CommanderError } from "commander";
import { dataCommand } from "./commands/data.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { lsCommand } from "./commands/ls.ts";
import { planCommand } from "./commands/plan.ts";
import { runCommand } from "./commands/run.ts";
import { showCommand } from "./commands/show.ts";
import { tableCommand } from "./commands/table.ts";
import { trialCommand } from "./commands/trial.ts";
import { EXIT, printError } from "./output.ts";

const program = new Command("exp")
  .description("merclab: a laboratory for multimodal emotion recognition in conversations")
  .addCommand(runCommand())
  .addCommand(planCommand())
  .addCommand(tableCommand())
  .addCommand(lsCommand())
  .addCommand(showCommand())
  .addCommand(dataCommand())
  .addCommand(doctorCommand())
  .addCommand(trialCommand(), { hidden: true });

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
