// Progress of a study on stderr: in a terminal one line per running trial and one over all, with time left; elsewhere
// a line per trial and one in between from time to time.
import type { StudyEvent, TrialSpec } from "@merclab/runner";
import { createLogUpdate } from "log-update";
import pc from "picocolors";
import prettyMs from "pretty-ms";
import { scoreText } from "./score-text.ts";
import { createEstimate } from "./time-left.ts";
import { trialLabel } from "./trial-label.ts";

const PLAIN_INTERVAL_MS = 20_000;

export interface Progress {
  show(event: StudyEvent): void;
  /** Something that is not about one trial, above what is running. */
  note(text: string): void;
  /** Leaves what was said of ended trials on the screen. */
  end(): void;
}

export function createProgress(
  trials: readonly TrialSpec[],
  jobs: () => number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const running = new Map<string, Line>();
  const estimate = createEstimate(trials, jobs);
  const live = stream.isTTY === true;
  // The cursor stays: a runner that is killed could not bring it back.
  const update = createLogUpdate(stream, { showCursor: true });
  let drawn = 0;
  let found = 0;
  let ended = 0;
  let failed = 0;
  let lastPlain = Date.now();

  const overall = () => {
    const left = estimate.secondsLeft();
    const time =
      left === undefined
        ? ""
        : `, about ${prettyMs(1000 * Math.ceil(left), { compact: false, secondsDecimalDigits: 0 })} left`;
    const bad = failed > 0 ? pc.red(`, ${failed} failed`) : "";
    return `${bar(estimate.share())} ${ended}/${trials.length} trials${bad}${time}`;
  };
  const say = (text: string) => {
    if (live) {
      update.clear();
    }
    stream.write(`${text}\n`);
  };
  const draw = () => {
    if (live) {
      const lines = [...[...running.values()].map((line) => lineText(line, columnsOf(stream))), overall()];
      // log-update 7.2 patches a changed frame, and loses the last line of one that grew.
      if (lines.length !== drawn) {
        update.clear();
        drawn = lines.length;
      }
      update(lines.join("\n"));
    } else if (Date.now() - lastPlain > PLAIN_INTERVAL_MS) {
      lastPlain = Date.now();
      stream.write(`${overall()}\n`);
    }
  };

  return {
    show: (event) => {
      const { spec } = event;
      const label = trialLabel(spec);
      estimate.update(event);
      switch (event.type) {
        case "found":
          ended += 1;
          found += 1;
          if (found === trials.length) {
            say(`All ${found} trials are stored already; nothing to train.`);
          }
          return;
        case "passed over":
          ended += 1;
          failed += 1;
          say(`${pc.red("✗")} ${label}  failed before, and is passed over: ${event.message}`);
          return;
        case "started":
          if (found > 0) {
            say(`${found} of ${trials.length} trials are stored already.`);
            found = 0;
          }
          running.set(spec.id, { mark: pc.dim("…"), label, state: "starting", numbers: "" });
          break;
        case "epoch": {
          const { epoch, epochs, loss, valid } = event.message;
          running.set(spec.id, {
            mark: pc.cyan("●"),
            label,
            state: `epoch ${epoch}/${epochs}`,
            numbers: `loss ${loss.toFixed(4)}  valid ${scoreText(String(spec.config.trainer.options.selectBy), valid)}`,
          });
          break;
        }
        case "done": {
          running.delete(spec.id);
          ended += 1;
          const { selection, test, seconds } = event.result;
          const score = test.validSelected.metrics[selection.metric] ?? Number.NaN;
          const numbers = `${selection.metric} ${scoreText(selection.metric, score)} at epoch ${selection.epoch}, ${seconds.toFixed(0)} s`;
          const gap = live && label.length + numbers.length + 4 >= columnsOf(stream) ? "\n    " : "  ";
          say(`${pc.green("✓")} ${label}${gap}${numbers}`);
          break;
        }
        case "note":
          say(`${pc.dim("·")} ${label}  ${event.text}`);
          break;
        case "cancelled":
          running.delete(spec.id);
          break;
        case "elsewhere":
          say(`${pc.dim("·")} ${label}  is being trained by ${event.owner}`);
          break;
        case "failed":
          running.delete(spec.id);
          ended += 1;
          failed += 1;
          say(
            [
              `${pc.red("✗")} ${label}  ${event.message}`,
              ...(event.hint === undefined ? [] : [`  ${pc.dim("→")} ${event.hint}`]),
              `  ${pc.dim("→")} "exp show ${spec.id}" shows its config and curves.`,
            ].join("\n"),
          );
          break;
      }
      draw();
    },
    note: (text) => {
      say(text);
      if (running.size > 0) {
        draw();
      }
    },
    end: () => {
      running.clear();
      if (live) {
        update.clear();
      }
    },
  };
}

function columnsOf(stream: NodeJS.WriteStream): number {
  return stream.columns > 0 ? stream.columns : 80;
}

/** A running trial. */
interface Line {
  readonly mark: string;
  readonly label: string;
  readonly state: string;
  readonly numbers: string;
}

/** One line of a terminal: where it is narrow the numbers go first, then the end of the label. */
function lineText({ mark, label, state, numbers }: Line, width: number): string {
  // The last column stays free, since some terminals wrap once it is written.
  const room = width - 1 - "● ".length;
  const whole = `${label}  ${state}  ${numbers}`.trimEnd();
  if (whole.length <= room) {
    return `${mark} ${label}  ${state}  ${pc.dim(numbers)}`;
  }
  const labelRoom = Math.max(1, room - state.length - 2);
  const cut = label.length <= labelRoom ? label : `${label.slice(0, labelRoom - 1)}…`;
  return `${mark} ${cut}  ${state}`;
}

function bar(share: number): string {
  const width = 24;
  const full = Math.round(share * width);
  return pc.cyan("█".repeat(full)) + pc.dim("░".repeat(width - full));
}
