// `exp cancel`: ends trials, wherever they wait or run.
import { MerclabError } from "@merclab/core";
import { cancelTrials, experimentFolder, LIVE_STATES, localRunner, readStudy, type TrialSpec } from "@merclab/runner";
import { Command } from "commander";
import { EXIT, printJson, printNote, printText } from "../output.ts";
import { findPlaces } from "../places.ts";
import { trialLabel } from "../trial-label.ts";

const EXAMPLES = `
Running trials keep a checkpoint: "exp run" and "exp resume" go on with them.

Examples:
  $ exp cancel sdt-vs-lmam
  $ exp cancel sdt-vs-lmam 3f2a 9c01       these trials only`;

export function cancelCommand(): Command {
  return new Command("cancel")
    .description("End the trials of a study that wait or run, or some of them")
    .argument("<experiment>", "an experiment that ran or was submitted")
    .argument("[trials...]", "ids of trials, or beginnings of them (default: all)")
    .option("--runs <dir>", "where runs are stored", "runs")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, ids: string[], options: { runs: string; json?: boolean }) => {
      process.exitCode = await cancel(name, ids, options);
    });
}

async function cancel(
  name: string,
  ids: readonly string[],
  options: { runs: string; json?: boolean },
): Promise<number> {
  const { runs } = findPlaces({ runs: options.runs });
  const study = await readStudy(runs, name);
  const wanted = ids.length === 0 ? study.trials : ids.map((id) => findTrial(study.trials, id));
  const { trials, failures } = await cancelTrials(runs, study.experiment, wanted);
  const runner = localRunner(experimentFolder(runs, study.experiment));
  const isPaused = runner !== undefined && ids.length === 0 && pause(runner.pid);
  if (options.json === true) {
    printJson({
      experiment: study.experiment,
      cancelled: trials.map(({ spec, state }) => ({ id: spec.id, label: trialLabel(spec), was: state })),
      failures: failures.map(({ message }) => message),
    });
  } else {
    const alive = trials.filter(({ state }) => LIVE_STATES.has(state)).length;
    printText(
      `${trials.length === 1 ? "1 trial is" : `${trials.length} trials are`} cancelled; ${alive} waited or ran.`,
    );
  }
  if (isPaused) {
    printNote(`exp run, process ${runner.pid}, ends after the epochs that run.`);
  } else if (runner !== undefined) {
    printNote(`exp run, process ${runner.pid}, starts none of them, and finishes those that it trains now.`);
  }
  for (const { message } of failures) {
    printNote(`${message}\nWhat runs sees the request and ends by itself, what waits when it starts.`);
  }
  return failures.length > 0 ? EXIT.failed : EXIT.done;
}

function findTrial(trials: readonly TrialSpec[], id: string): TrialSpec {
  const [match, ...more] = trials.filter((spec) => spec.id.startsWith(id));
  if (match === undefined || more.length > 0) {
    const found = match === undefined ? "no trial" : `${more.length + 1} trials`;
    throw new MerclabError("config", `${found} with an id that begins with "${id}"`, {
      hint: "exp watch EXPERIMENT --once lists them.",
    });
  }
  return match;
}

/** As Ctrl-C does. */
function pause(pid: number): boolean {
  try {
    return process.kill(pid, "SIGINT");
  } catch {
    return false;
  }
}
