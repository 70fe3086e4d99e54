// What changed between two looks at a study, as the events that a local run tells its progress by.
import type { StudyEvent, TrialView } from "@merclab/runner";

/** @param before the last look; undefined for the first one */
export function eventsBetween(before: readonly TrialView[] | undefined, now: readonly TrialView[]): StudyEvent[] {
  const earlier = new Map(before?.map((view) => [view.spec.id, view]));
  return now.flatMap((view) => eventsOf(earlier.get(view.spec.id), view));
}

function eventsOf(before: TrialView | undefined, now: TrialView): StudyEvent[] {
  const { spec, folder, state, detail } = now;
  const trial = { spec, folder };
  if (now.result !== undefined) {
    return before?.result !== undefined
      ? []
      : [{ type: before === undefined ? "found" : "done", ...trial, result: now.result }];
  }
  const changed = before?.state !== state || (state === "failed" && before.attempt !== now.attempt);
  if (state === "failed") {
    return changed ? [{ type: "failed", ...trial, message: detail ?? "", hint: undefined }] : [];
  }
  const events: StudyEvent[] = [];
  if (state === "running" && changed) {
    events.push({ type: "started", ...trial });
    if (detail !== undefined) {
      events.push({ type: "note", ...trial, text: detail });
    }
  }
  if (now.last !== undefined && now.epoch !== before?.epoch) {
    const value = (name: string) => Number(now.last?.v[name] ?? Number.NaN);
    events.push({
      type: "epoch",
      ...trial,
      message: {
        type: "epoch",
        epoch: now.epoch,
        epochs: now.epochs,
        seconds: value("epoch-seconds"),
        loss: value("train/total"),
        valid: value(`valid/${String(spec.config.trainer.options.selectBy)}`),
      },
    });
  }
  if (before?.state === "running" && state !== "running") {
    events.push({ type: "cancelled", ...trial });
    events.push({ type: "note", ...trial, text: [state, ...(detail === undefined ? [] : [detail])].join(": ") });
  }
  return events;
}
