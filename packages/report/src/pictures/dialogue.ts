// One dialogue as a score sheet: utterances from left to right, lanes for who spoke, what was right, and what each method
// predicted; below, the gates or the attention that one method showed.
import { axisX, axisY, cell, dot, gridY, line, rect, text } from "@observablehq/plot";
import { COLORS, type Drawing, draw, fit, labelRoom, SERIES } from "./draw.ts";

export interface Lane {
  readonly name: string;
  /** One entry per utterance. */
  readonly cells: readonly LaneCell[];
}

export interface LaneCell {
  /** A few letters. */
  readonly short: string;
  /** plain: who spoke, or the truth; right and wrong: a prediction. */
  readonly kind: "even" | "odd" | "truth" | "right" | "wrong";
}

const STEP = 17;
const LANE = 20;
/** For the names of lanes, at the least and at the most. */
const ROOM = [96, 140] as const;
/** Below this a dialogue would make a picture narrower than its title. */
const LEAST_WIDTH = 240;

function widthOf(utterances: number, room: number): number {
  return Math.max(LEAST_WIDTH, room + utterances * STEP + 8);
}

export function drawLanes(title: string, description: string, lanes: readonly Lane[]): Drawing {
  const count = lanes[0]?.cells.length ?? 0;
  const cells = lanes.flatMap(({ cells: own }, lane) =>
    own.map((each, at) => ({ ...each, lane: String(lane), turn: at + 1 })),
  );
  const of = (kind: LaneCell["kind"]) => cells.filter((each) => each.kind === kind);
  const shape = { x: "turn", y: "lane", inset: 0.75, rx: 2 } as const;
  const room = laneRoom(lanes.map(({ name }) => name));
  return draw(title, description, {
    width: widthOf(count, room),
    height: lanes.length * LANE + 24,
    marginLeft: room,
    marginRight: 8,
    marginTop: 18,
    marginBottom: 6,
    x: { type: "band", domain: turns(count), padding: 0, label: null },
    y: { type: "band", domain: lanes.map((_, lane) => String(lane)), padding: 0, label: null },
    marks: [
      axisX({ anchor: "top", ticks: tickTurns(count), tickSize: 0, fill: COLORS.muted }),
      axisY({
        tickSize: 0,
        tickFormat: (lane: string) => fit(lanes[Number(lane)]?.name ?? "", room),
        fill: COLORS.ink,
      }),
      cell(of("even"), { ...shape, fill: COLORS.ink, fillOpacity: 0.1 }),
      cell(of("odd"), { ...shape, fill: COLORS.ink, fillOpacity: 0.28 }),
      cell(of("truth"), { ...shape, fill: "none", stroke: COLORS.ghost }),
      cell(of("right"), { ...shape, fill: COLORS.first, fillOpacity: 0.28 }),
      cell(of("wrong"), { ...shape, fill: COLORS.second, fillOpacity: 0.34 }),
      text(cells, {
        x: "turn",
        y: "lane",
        text: "short",
        fontSize: 9,
        fill: COLORS.ink,
      }),
    ],
  });
}

export interface GateTrack {
  readonly name: string;
  /** One entry per utterance. */
  readonly values: readonly number[];
}

/**
 * Each gate as a line, on a scale of its own: what matters is how it moves along the dialogue.
 *
 * @param names of the lanes above, so that utterances stand below each other
 */
export function drawGates(
  title: string,
  description: string,
  tracks: readonly GateTrack[],
  names: readonly string[],
): Drawing {
  const room = laneRoom(names);
  const count = tracks[0]?.values.length ?? 0;
  const all = tracks.flatMap(({ values }) => values);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const pad = Math.max(0.01, 0.1 * (high - low));
  const lines = tracks.map(({ values }, track) => ({
    color: SERIES[track % SERIES.length] ?? COLORS.ink,
    points: values.map((value, at) => ({ value, turn: at + 1 })),
  }));
  return draw(title, description, {
    width: widthOf(count, room),
    height: 118,
    marginLeft: room,
    marginRight: 8,
    marginTop: 6,
    marginBottom: 22,
    x: { domain: [0.5, count + 0.5], label: null },
    y: { domain: [low - pad, high + pad], label: null },
    marks: [
      gridY({ stroke: COLORS.grid, strokeOpacity: 1, ticks: 4 }),
      axisX({ ticks: tickTurns(count), tickSize: 0, tickFormat: String, fill: COLORS.muted }),
      axisY({ ticks: 4, tickSize: 0, fill: COLORS.muted }),
      ...lines.map(({ points, color }) => line(points, { x: "turn", y: "value", stroke: color, strokeWidth: 1.4 })),
      ...lines.map(({ points, color }) => dot(points, { x: "turn", y: "value", r: 2, fill: color })),
    ],
  });
}

/** Steps of strength that a map tells apart. */
const LEVELS = 8;

/** Who attends to whom: rows are queries; blue adds, orange takes away. */
export function drawAttention(title: string, description: string, values: readonly (readonly number[])[]): Drawing {
  const count = values.length;
  const most = Math.max(1e-12, ...values.flat().map(Math.abs));
  const runs = values.flatMap((row, from) =>
    levelRuns(
      row.map((value) => Math.round((LEVELS * value) / most)),
      from,
    ),
  );
  const side = Math.max(4, Math.min(14, 264 / count));
  const levels = Array.from({ length: 2 * LEVELS + 1 }, (_, at) => at - LEVELS).filter((level) => level !== 0);
  return draw(title, description, {
    width: Math.ceil(44 + count * side + 6),
    height: Math.ceil(18 + count * side + 34),
    marginLeft: 44,
    marginRight: 6,
    marginTop: 18,
    marginBottom: 34,
    x: { domain: [0.5, count + 0.5], label: null },
    y: { domain: [count + 0.5, 0.5], label: null },
    marks: [
      rect([0], { x1: 0.5, x2: count + 0.5, y1: 0.5, y2: count + 0.5, fill: "none", stroke: COLORS.grid }),
      ...levels.map((level) =>
        rect(
          runs.filter((run) => run.level === level),
          {
            x1: "start",
            x2: "end",
            y1: "from",
            y2: (run: LevelRun) => run.from + 1,
            fill: level > 0 ? COLORS.first : COLORS.second,
            fillOpacity: Math.abs(level) / LEVELS,
          },
        ),
      ),
      axisX({
        ticks: tickTurns(count).filter((turn) => turn === 1 || turn % 10 === 0),
        tickSize: 3,
        label: "attended utterance",
        labelArrow: "none",
        labelAnchor: "center",
        fill: COLORS.muted,
      }),
      axisY({
        ticks: tickTurns(count).filter((turn) => turn === 1 || turn % 10 === 0),
        tickSize: 3,
        label: "attending utterance",
        labelArrow: "none",
        labelAnchor: "top",
        fill: COLORS.muted,
      }),
    ],
  });
}

/** Neighbours of one level in one row, which one rectangle shows; an utterance reaches half a place to either side. */
interface LevelRun {
  readonly level: number;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

function levelRuns(levels: readonly number[], from: number): LevelRun[] {
  const runs: LevelRun[] = [];
  levels.forEach((level, at) => {
    const last = runs.at(-1);
    if (last?.level === level) {
      runs[runs.length - 1] = { ...last, end: at + 1.5 };
    } else {
      runs.push({ level, from, start: at + 0.5, end: at + 1.5 });
    }
  });
  return runs;
}

function laneRoom(names: readonly string[]): number {
  return Math.max(ROOM[0], labelRoom(names, ROOM[1]));
}

function turns(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

function tickTurns(count: number): number[] {
  return turns(count).filter((turn) => turn === 1 || turn % 5 === 0);
}
