// Repeating an attempt: exponential back-off with full jitter under a cap, where a Retry-After of the server wins.
// What may be repeated is decided by the caller; this module only counts, waits and gives up.

export interface RetryOptions {
  /** Attempts in all, the first one included; 1 switches retrying off. */
  readonly attempts?: number;
  readonly baseMs?: number;
  readonly factor?: number;
  readonly capMs?: number;
  /** No further attempt starts later than this after the first one. */
  readonly maxElapsedMs?: number;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: () => number;
}

export type RetryPolicy = Required<RetryOptions>;

export function createRetryPolicy({
  attempts = 6,
  baseMs = 2_000,
  factor = 2,
  capMs = 120_000,
  maxElapsedMs = 600_000,
  random = Math.random,
}: RetryOptions = {}): RetryPolicy {
  return { attempts, baseMs, factor, capMs, maxElapsedMs, random };
}

/** What to do about an error: give up, or repeat, after `retryAfterMs` where the server named a time. */
export type RetryVerdict = { readonly repeat: false } | { readonly repeat: true; readonly retryAfterMs?: number };

/**
 * Runs `attempt(1)`, `attempt(2)`, … until one succeeds, the verdict is to give up, or the policy is used up;
 * then the last error is thrown as it came.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  judge: (error: unknown) => RetryVerdict,
  attempt: (number: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const started = performance.now();
  for (let number = 1; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      const verdict = judge(error);
      if (!verdict.repeat || number >= policy.attempts) throw error;
      const delayMs = verdict.retryAfterMs ?? backoffMs(policy, number);
      if (performance.now() - started + delayMs > policy.maxElapsedMs) throw error;
      await sleep(delayMs, signal);
    }
  }
}

/** Full jitter: uniform between 0 and min(cap, base * factor^(number - 1)), in milliseconds. */
export function backoffMs(policy: RetryPolicy, number: number): number {
  return policy.random() * Math.min(policy.capMs, policy.baseMs * policy.factor ** (number - 1));
}

/** Retry-After as milliseconds from `now` (Unix ms); seconds or an HTTP date, undefined when it is neither. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
