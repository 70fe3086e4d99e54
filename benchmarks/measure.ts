// Both sides work through the same batches in turn, in one run, so that whatever else the machine does hits both.
import { setTimeout as pause } from "node:timers/promises";
import { MerclabError } from "@merclab/core";
import { QUIET, startLoadMeter, waitUntilQuiet } from "./load.ts";
import type { BatchAnswer, InitAnswer, ReportAnswer } from "./protocol.ts";
import { SETTINGS_FILES } from "./row-folder.ts";
import type { Row } from "./rows.ts";
import { type Side, type SideKind, withSides } from "./side.ts";
import type { Times } from "./statistics.ts";

/** Between steps, so that threads of one side that still spin on their work queue have gone to sleep. */
const PAUSE_MS = 200;

export interface Measured {
  readonly sides: readonly SideTimes[];
  /** Share of the machine's CPU time that others took during the steps that count, 0 to 1. */
  readonly otherLoad: number;
  /** Steps that were taken again, as others had disturbed them. */
  readonly repeated: number;
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

/** All sides have worked through one batch; round 0 is the warm-up. */
export interface Step {
  readonly round: number;
  readonly batch: number;
}

/**
 * A warm-up round, then `rounds` rounds over the batches; who goes first changes from step to step. A step during which
 * others used the machine is taken again when it is quiet, while patience lasts: by what others did, not by its time, so
 * that nothing is chosen by its outcome.
 *
 * @param patience seconds that it spends at most on waiting for a quiet machine and on taking steps again
 * @param onStep called after each step that counts
 */
export function measureSides(
  row: Row,
  kinds: readonly SideKind[],
  folder: string,
  batches: number,
  rounds: number,
  patience: number,
  onStep: (step: Step) => void,
): Promise<Measured> {
  return withSides(kinds, folder, SETTINGS_FILES.timing, async (sides) => {
    const inits: InitAnswer[] = [];
    for (const side of sides) {
      inits.push(await side.ask<InitAnswer>("init"));
    }
    const command = row.work === "train" ? "epoch-step" : "evaluate";
    const takeStep = createStep(sides, inits);
    const steps: Taken[][] = [];
    let repeated = 0;
    let patienceMs = 1000 * patience;
    for (let round = 0; round <= rounds; round++) {
      const ofRound: Taken[] = [];
      for (let batch = 0; batch < batches; batch++) {
        const reversed = (round + batch) % 2 === 1;
        let taken = await takeStep(`${command} ${batch}`, reversed);
        while (round > 0 && taken.otherLoad > QUIET && patienceMs > 0) {
          const disturbed = performance.now();
          await waitUntilQuiet(patienceMs);
          taken = await takeStep(`${command} ${batch}`, reversed);
          repeated += 1;
          patienceMs -= performance.now() - disturbed;
        }
        ofRound.push(taken);
        onStep({ round, batch });
      }
      steps.push(ofRound);
    }
    const [warmUp = [], ...counted] = steps;
    const measured: SideTimes[] = [];
    for (const [at, side] of sides.entries()) {
      const answerOf = ({ answers }: Taken) => answers[at] as BatchAnswer;
      measured.push({
        name: side.name,
        init: inits[at] as InitAnswer,
        warmUp: warmUp.map(answerOf),
        times: counted.map((round) => round.map((taken) => answerOf(taken).ms)),
        phases: sumOfPhases(counted.flat().map(answerOf)),
        report: await side.ask<ReportAnswer>("report"),
      });
    }
    const loads = counted.flat().map(({ otherLoad }) => otherLoad);
    return { sides: measured, otherLoad: loads.reduce((sum, load) => sum + load, 0) / loads.length, repeated };
  });
}

/** One batch on all sides. */
interface Taken {
  /** In the order of the sides. */
  readonly answers: readonly BatchAnswer[];
  readonly otherLoad: number;
}

function createStep(sides: readonly Side[], inits: readonly InitAnswer[]) {
  const cpuMs = inits.map((init) => init.cpuMs);
  return async (command: string, reversed: boolean): Promise<Taken> => {
    const meter = startLoadMeter();
    const answers: BatchAnswer[] = [];
    let used = 0;
    for (const [at, side] of reversed ? [...sides.entries()].reverse() : sides.entries()) {
      await pause(PAUSE_MS);
      const answer = await side.ask<BatchAnswer>(command);
      checkFinite(side, answer);
      answers[at] = answer;
      used += answer.cpuMs - (cpuMs[at] ?? 0);
      cpuMs[at] = answer.cpuMs;
    }
    return { answers, otherLoad: meter.others(used) };
  };
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
