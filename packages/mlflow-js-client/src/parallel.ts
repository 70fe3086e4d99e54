// A few workers over one queue. After a failure no further item is begun, and those under way are waited for.

/** @throws the first failure, in the order of the workers */
export async function inParallel<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.max(1, Math.min(concurrency, items.length)) }, worker);
  for (const result of await Promise.allSettled(workers)) if (result.status === "rejected") throw result.reason;
}
