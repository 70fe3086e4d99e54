// Slurm's way to write how long something takes (sbatch(1), --time): "minutes", "minutes:seconds",
// "hours:minutes:seconds", "days-hours", "days-hours:minutes", "days-hours:minutes:seconds".

/** @returns seconds, Infinity for no limit, undefined for what is no time */
export function slurmSeconds(text: string): number | undefined {
  if (/^(UNLIMITED|INFINITE)$/i.test(text)) {
    return Number.POSITIVE_INFINITY;
  }
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [days, ...rest] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  const [first = 0, second, third] = rest;
  if (days !== undefined) {
    return 86_400 * days + 3600 * first + 60 * (second ?? 0) + (third ?? 0);
  }
  return third === undefined ? 60 * first + (second ?? 0) : 3600 * first + 60 * (second ?? 0) + third;
}
