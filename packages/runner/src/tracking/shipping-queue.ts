// Shipping, one piece of work at a time: an entry per key, kept until its work succeeds. Work is pushed again whenever
// there is more to send, so it must read what to send when it runs. A failure that waiting may cure stops the whole
// queue for a while (the server is the same for all); any other sets its entry aside until it is pushed again.

export interface ShippingQueueOptions {
  /** Told of every failure; says what becomes of the entry. */
  readonly judge: (error: unknown) => "later" | "aside";
  /** First pause after a failure; it doubles with each further one up to the cap. */
  readonly pauseMs?: number;
  readonly pauseCapMs?: number;
}

export interface ShippingQueue {
  /** Aborts when closing ran out of time; for the requests in flight. */
  readonly signal: AbortSignal;
  /** Runs `work` at the latest after `delayMs`; what is already queued under the key is replaced. */
  push(key: string, work: () => Promise<void>, delayMs?: number): void;
  /** Runs what is queued without delays, then stops; the number of entries that are left. */
  close(timeoutMs: number): Promise<number>;
}

interface Entry {
  readonly work: () => Promise<void>;
  readonly dueAt: number;
  aside: boolean;
}

/** Failures in a row after which closing no longer waits for the server. */
const CLOSING_ATTEMPTS = 3;
const CLOSING_PAUSE_MS = 500;

export function createShippingQueue({
  judge,
  pauseMs = 2_000,
  pauseCapMs = 60_000,
}: ShippingQueueOptions): ShippingQueue {
  const entries = new Map<string, Entry>();
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let resumeAt = 0;
  let closing = false;

  function waiting(): [string, Entry][] {
    return [...entries].filter(([, entry]) => !entry.aside);
  }

  function wake(): void {
    clearTimeout(timer);
    if (running !== undefined || closing) {
      return;
    }
    const dueAt = Math.min(...waiting().map(([, entry]) => entry.dueAt));
    if (Number.isFinite(dueAt)) {
      timer = setTimeout(start, Math.max(dueAt, resumeAt) - Date.now());
      timer.unref(); // a process is kept alive by its study, and by close
    }
  }

  /** So that an entry at which the server always fails does not hold up the others. */
  function toTheEnd(key: string): void {
    const entry = entries.get(key);
    if (entry !== undefined) {
      entries.delete(key);
      entries.set(key, entry);
    }
  }

  function start(): void {
    running = runDue().finally(() => {
      running = undefined;
      wake();
    });
  }

  async function runDue(): Promise<void> {
    for (;;) {
      const now = Date.now();
      const next = waiting().find(([, entry]) => closing || entry.dueAt <= now);
      if (next === undefined || stop.signal.aborted) {
        return;
      }
      const [key, entry] = next;
      try {
        await entry.work();
        failures = 0;
        if (entries.get(key) === entry) {
          entries.delete(key); // otherwise there is more by now
        }
      } catch (error) {
        if (stop.signal.aborted) {
          return;
        }
        if (judge(error) === "later") {
          failures++;
          resumeAt = Date.now() + Math.min(pauseCapMs, pauseMs * 2 ** (failures - 1));
          toTheEnd(key);
          return;
        }
        entry.aside = true;
      }
    }
  }

  return {
    signal: stop.signal,

    push(key, work, delayMs = 0) {
      const queued = entries.get(key);
      const dueAt = Date.now() + delayMs;
      const soonest = queued === undefined || queued.aside ? dueAt : Math.min(dueAt, queued.dueAt);
      entries.set(key, { work, dueAt: soonest, aside: false });
      wake();
    },

    async close(timeoutMs) {
      closing = true;
      clearTimeout(timer);
      const deadline = Date.now() + timeoutMs;
      let attempts = 0;
      let first = true;
      while (waiting().length > 0 && attempts < CLOSING_ATTEMPTS && Date.now() < deadline) {
        if (!first) {
          await atMost(deadline, sleep(Math.min(pauseMs, CLOSING_PAUSE_MS)));
        }
        first = false;
        const failuresBefore = failures;
        if (running === undefined) {
          start();
        }
        await atMost(deadline, running);
        attempts = failures > failuresBefore ? attempts + 1 : 0;
      }
      stop.abort();
      await running;
      return entries.size;
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for `work`, but no longer than until `deadline` (Unix ms). */
async function atMost(deadline: number, work: Promise<void> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - Date.now()));
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
