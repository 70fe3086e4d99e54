// Progress of a study on stderr: in a terminal one line per running trial and one over all, with time left; elsewhere
// a line per trial and one in between from time to time.
import type { StudyEvent, TrialSpec } from "@merclab/runner";
import { createLogUpdate } from "log-update";
import pc from "picocolors";
import prettyMs from "pretty-ms";
import { createEstimate } from "./time-left.ts";
import { trialLabel } from "./trial-label.ts";

const PLAIN_INTERVAL_MS = 20_000;

export interface Progress {
  show(event: StudyEvent): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

export function createProgress(
  trials: readonly TrialSpec[],
  jobs: number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const running = new Map<string, { spec: TrialSpec; line: string }>();
  const estimate = createEstimate(trials, jobs);
  const live = stream.isTTY === true;
  const update = createLogUpdate(stream);
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
      update([...[...running.values()].map(({ line }) => line), overall()].join("\n"));
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
          return;
        case "started":
          running.set(spec.id, { spec, line: `${pc.dim("…")} ${label}  starting` });
          break;
        case "epoch": {
          const { epoch, epochs, loss, valid } = event.message;
          const numbers = `loss ${loss.toFixed(4)}  valid ${(100 * valid).toFixed(2)}`;
          running.set(spec.id, {
            spec,
            line: `${pc.cyan("●")} ${label}  epoch ${epoch}/${epochs}  ${pc.dim(numbers)}`,
          });
          break;
        }
        case "done": {
          running.delete(spec.id);
          ended += 1;
          const { selection, test, seconds } = event.result;
          const score = test.validSelected.metrics[selection.metric] ?? Number.NaN;
          const numbers = `${selection.metric} ${(100 * score).toFixed(2)} at epoch ${selection.epoch}, ${seconds.toFixed(0)} s`;
          say(`${pc.green("✓")} ${label}  ${numbers}`);
          break;
        }
        case "cancelled":
          running.delete(spec.id);
          break;
        case "failed":
          running.delete(spec.id);
          ended += 1;
          failed += 1;
          say(`${pc.red("✗")} ${label}  ${event.message}${event.hint === undefined ? "" : `\n  → ${event.hint}`}`);
          break;
      }
      draw();
    },
    end: () => {
      if (live) {
        update.clear();
      }
    },
  };
}

function bar(share: number): string {
  const width = 24;
  const full = Math.round(share * width);
  return pc.cyan("█".repeat(full)) + pc.dim("░".repeat(width - full));
}
