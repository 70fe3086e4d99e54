// Progress on stderr with the time that is left: in a terminal one line that changes, elsewhere a line now and then.
import { createLogUpdate } from "log-update";
import pc from "picocolors";
import prettyMs from "pretty-ms";

const PLAIN_INTERVAL_MS = 20_000;

export interface Progress {
  /** What is going on now, above nothing. */
  show(text: string): void;
  /** Adds to what is done, in the unit of `total`. */
  advance(work: number): void;
  /** Stays on the screen. */
  note(text: string): void;
  end(): void;
}

/** @param total expected work, in any unit; the time left is what the work done so far took, scaled */
export function createProgress(total: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  const live = stream.isTTY === true;
  const update = createLogUpdate(stream, { showCursor: true });
  const started = Date.now();
  let done = 0;
  let lastPlain = 0;
  let text = "";
  const draw = () => {
    const line = `${pc.cyan(`${Math.floor((100 * done) / total)} %`)} ${text}${timeLeft()}`;
    if (live) {
      update(line);
    } else if (Date.now() - lastPlain > PLAIN_INTERVAL_MS) {
      lastPlain = Date.now();
      stream.write(`${line}\n`);
    }
  };
  const timeLeft = () => {
    if (done === 0) {
      return "";
    }
    const ms = ((Date.now() - started) / done) * (total - done);
    return `, about ${prettyMs(1000 * Math.ceil(ms / 1000), { secondsDecimalDigits: 0 })} left`;
  };
  return {
    show(next) {
      text = next;
      draw();
    },
    advance(work) {
      done = Math.min(total, done + work);
    },
    note(line) {
      if (live) {
        update.clear();
      }
      stream.write(`${line}\n`);
    },
    end() {
      if (live) {
        update.clear();
      }
    },
  };
}
