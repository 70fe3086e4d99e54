// Both sides work through the same batches in turn, in one run, so that whatever else the machine does hits both.
import { setTimeout as pause } from "node:timers/promises";
import { MerclabError } from "@merclab/core";
import { startLoadMeter } from "./load.ts";
import type { BatchAnswer, InitAnswer, ReportAnswer } from "./protocol.ts";
import { SETTINGS_FILES } from "./row-folder.ts";
import type { Row } from "./rows.ts";
import { type Side, type SideKind, withSides } from "./side.ts";
import type { Times } from "./statistics.ts";

/** Between steps, so that threads of one side that still spin on their work queue have gone to sleep. */
const PAUSE_MS = 200;

export interface Measured {
  readonly sides: readonly SideTimes[];
  /** Share of the machine's CPU time that others took meanwhile. */
  readonly otherLoad: number;
}

export interface SideTimes {
  readonly name: string;
  readonly init: InitAnswer;
  /** Of the round that does not count, batch by batch. */
  readonly warmUp: readonly BatchAnswer[];
  readonly times: Times;
  /** Sums over all counted batches. */
  readonly phases: Readonly<Record<string, number>>;
  readonly report: ReportAnswer;
}

/** One side has worked through one batch; round 0 is the warm-up. */
export interface Step {
  readonly side: string;
  readonly round: number;
  readonly batch: number;
}

/**
 * A warm-up round, then `rounds` rounds over the batches; who goes first changes from step to step.
 *
 * @param onStep called after each step of each side
 */
export function measureSides(
  row: Row,
  kinds: readonly SideKind[],
  folder: string,
  batches: number,
  rounds: number,
  onStep: (step: Step) => void,
): Promise<Measured> {
  return withSides(kinds, folder, SETTINGS_FILES.timing, async (sides) => {
    const inits: InitAnswer[] = [];
    for (const side of sides) {
      inits.push(await side.ask<InitAnswer>("init"));
    }
    const meter = startLoadMeter();
    // By side, round and batch.
    const answers = sides.map(() => Array.from({ length: rounds + 1 }, (): BatchAnswer[] => []));
    const command = row.work === "train" ? "epoch-step" : "evaluate";
    for (let round = 0; round <= rounds; round++) {
      for (let batch = 0; batch < batches; batch++) {
        const order = [...sides.entries()];
        for (const [at, side] of (round + batch) % 2 === 0 ? order : order.reverse()) {
          await pause(PAUSE_MS);
          const answer = await side.ask<BatchAnswer>(`${command} ${batch}`);
          checkFinite(side, answer);
          answers[at]?.[round]?.push(answer);
          onStep({ side: side.name, round, batch });
        }
      }
    }
    const measured: SideTimes[] = [];
    for (const [at, side] of sides.entries()) {
      const [warmUp = [], ...counted] = answers[at] ?? [];
      measured.push({
        name: side.name,
        init: inits[at] as InitAnswer,
        warmUp,
        times: counted.map((round) => round.map(({ ms }) => ms)),
        phases: sumOfPhases(counted.flat()),
        report: await side.ask<ReportAnswer>("report"),
      });
    }
    const cpuMs = measured.reduce((sum, { init, report }) => sum + report.cpuMs - init.cpuMs, 0);
    return { sides: measured, otherLoad: meter.others(cpuMs) };
  });
}

function checkFinite(side: Side, { losses }: BatchAnswer): void {
  const broken = Object.entries(losses ?? {}).find(([, value]) => !Number.isFinite(value));
  if (broken !== undefined) {
    throw new MerclabError("diverged", `side ${side.name}: the loss ${broken[0]} became ${broken[1]}`);
  }
}

function sumOfPhases(answers: readonly BatchAnswer[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, ms] of answers.flatMap(({ phases }) => Object.entries(phases))) {
    sums[name] = (sums[name] ?? 0) + ms;
  }
  return sums;
}
