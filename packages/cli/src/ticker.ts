// How far one piece of work has come: a line that is written over in a terminal, and nothing elsewhere.
import { createLogUpdate } from "log-update";

export interface Ticker {
  show(done: number, of: number): void;
  /** Takes the line away. */
  end(): void;
}

export function createTicker(label: string, stream: NodeJS.WriteStream = process.stderr): Ticker {
  if (stream.isTTY !== true) {
    return { show: () => undefined, end: () => undefined };
  }
  const update = createLogUpdate(stream, { showCursor: true });
  return {
    show: (done, of) => update(`${label}  ${Math.floor((100 * done) / of)} %`),
    end: () => update.clear(),
  };
}
