// How long a study will still take: what an epoch took so far, for trials of the same data and fusion where known.
import type { StudyEvent, TrialSpec } from "@merclab/runner";

export interface Estimate {
  update(event: StudyEvent): void;
  /** undefined before the first epoch has ended. */
  secondsLeft(): number | undefined;
  /** Epochs done over epochs planned, 0 to 1. */
  share(): number;
}

/** @param jobs trials side by side, now */
export function createEstimate(trials: readonly TrialSpec[], jobs: () => number): Estimate {
  const epochsLeft = new Map(trials.map((spec) => [spec.id, epochsOf(spec)]));
  const kindOf = new Map(trials.map((spec) => [spec.id, kind(spec)]));
  const perKind = new Map<string, Mean>();
  const perAny = new Mean();
  const total = trials.reduce((sum, spec) => sum + epochsOf(spec), 0);
  const left = () => [...epochsLeft.values()].reduce((sum, epochs) => sum + epochs, 0);
  return {
    update: (event) => {
      const { id } = event.spec;
      if (event.type === "epoch") {
        epochsLeft.set(id, event.message.epochs - event.message.epoch);
        const mean = perKind.get(kind(event.spec)) ?? new Mean();
        mean.add(event.message.seconds);
        perAny.add(event.message.seconds);
        perKind.set(kind(event.spec), mean);
      } else if (event.type !== "started") {
        epochsLeft.set(id, 0);
      }
    },
    secondsLeft: () => {
      if (perAny.count === 0) {
        return undefined;
      }
      const each = [...epochsLeft].map(
        ([id, epochs]) => epochs * (perKind.get(kindOf.get(id) ?? "") ?? perAny).value(),
      );
      const work = each.reduce((sum, seconds) => sum + seconds, 0);
      return Math.max(work / jobs(), ...each);
    },
    share: () => (total === 0 ? 1 : 1 - left() / total),
  };
}

function epochsOf(spec: TrialSpec): number {
  return Number(spec.config.trainer.options.epochs ?? 1);
}

function kind(spec: TrialSpec): string {
  return JSON.stringify(spec.cell);
}

class Mean {
  count = 0;
  private sum = 0;

  add(value: number): void {
    this.count += 1;
    this.sum += value;
  }

  value(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }
}
