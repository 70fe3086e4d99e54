// At most so many at once; others wait their turn, first come first served.

export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function createGate(atOnce: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // The place is handed on, so that nobody who comes meanwhile can slip in.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
