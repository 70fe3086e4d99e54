// `pnpm bench`: merclab's training step against the same model in PyTorch, on the same batches, interleaved.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { parseCount, parseSeconds } from "../packages/cli/src/commands/parse-numbers.ts";
import { EXIT, printError, printJson, printNote, printText } from "../packages/cli/src/output.ts";
import { openSite } from "../packages/cli/src/site.ts";
import { defaultThreads, describeMachine, findPython } from "./machine.ts";
import { createNamedEngine } from "./ours/engine.ts";
import { createProgress } from "./progress.ts";
import { DEFAULT_ROWS, findRow, ROW_NAMES } from "./rows.ts";
import { plannedWork, planRows, type RunSettings, runRows } from "./run.ts";
import { resultsText } from "./table.ts";

interface BenchOptions {
  readonly rows: readonly string[];
  readonly engine: string;
  readonly python?: string;
  readonly data?: string;
  readonly threads: number;
  readonly batches?: number;
  readonly rounds?: number;
  readonly patience: number;
  readonly json?: boolean;
  readonly out?: string;
}

const EXAMPLES = `
Rows: ${ROW_NAMES.join(", ")}

Examples:
  $ pnpm bench                                           the rows with a target, under 15 minutes
  $ pnpm bench --rows sdt-256-iemocap --python ~/venv/bin/python
  $ pnpm bench --rows sdt-1024-iemocap --batches 2 --rounds 2
  $ pnpm bench --out benchmarks/results/laptop.json

Ratios are ours ÷ PyTorch: smaller is faster. Before anything is timed both sides compute the same two steps, with the
same weights and without dropout; where they disagree there is no ratio.`;

const program = new Command("bench")
  .description("Measure merclab's training step against the same model in PyTorch")
  .option("--rows <names>", "what to measure, comma-separated (default: the rows with a target)", parseNames)
  .option("--engine <name>", "engine of our side", "onnx")
  .option("--python <path>", "Python with torch (default: MERCLAB_PYTHON, else python3)")
  .option("--data <dir>", "data root, for real dialogue lengths (default: MERCLAB_DATA, data/, ../shared/data)")
  .option("--threads <n>", "threads of either side", parseCount, defaultThreads())
  .option("--batches <n>", "batches of each row (default: the row's own)", parseCount)
  .option("--rounds <n>", "rounds that count, after one that does not (default: the row's own)", parseCount)
  .option("--patience <s>", "seconds that a row waits at most for a quiet machine", parseSeconds, 180)
  .option("--json", "one JSON document on stdout")
  .option("--out <file>", "also write the JSON document to a file")
  .addHelpText("after", EXAMPLES)
  .exitOverride()
  .showHelpAfterError("Run with --help to see what is possible.")
  .action(async (options: BenchOptions) => {
    process.exitCode = await bench({ ...options, rows: options.rows ?? DEFAULT_ROWS });
  });

async function bench(options: BenchOptions): Promise<number> {
  const { places, registry } = await openSite(options.data === undefined ? {} : { data: options.data });
  const rows = options.rows.map(findRow);
  const engineThreads = createNamedEngine(options.engine, options.threads, registry).threads;
  const wanted = rows.some(({ sides }) => sides === "ours-and-reference") ? findPython(options.python) : undefined;
  const settings: RunSettings = {
    rows,
    registry,
    dataRoot: places.dataRoot,
    engine: options.engine,
    python: wanted?.hasTorch === true ? wanted.python : undefined,
    threads: options.threads,
    batches: options.batches,
    rounds: options.rounds,
    patience: options.patience,
  };
  const machine = describeMachine();
  printNote(`${machine.cpu}, ${machine.cores} cores; ${options.threads} threads.`);
  if (engineThreads !== options.threads) {
    printNote(`The engine ${options.engine} works with ${engineThreads} thread.`);
  }
  if (wanted?.hasTorch === false) {
    printNote(`${wanted.python} has no torch: only our side runs. Give one that has with --python or MERCLAB_PYTHON.`);
  }
  const date = new Date().toISOString();
  const planned = await planRows(settings);
  const progress = createProgress(plannedWork(planned));
  const results = await runRows(planned, settings, progress);
  progress.end();
  const document = { date, machine, threads: options.threads, engine: options.engine, rows: results };
  if (options.out !== undefined) {
    writeOut(options.out, document);
  }
  if (options.json === true) {
    printJson(document);
  } else {
    printText(resultsText(results));
  }
  return results.some(({ agreement }) => agreement?.agrees === false) ? EXIT.failed : EXIT.done;
}

function writeOut(file: string, document: unknown): void {
  const path = resolve(file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
  } catch (cause) {
    throw new MerclabError("storage", `the results cannot be written (${String(cause)})`, { where: path, cause });
  }
}

function parseNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new InvalidArgumentError(`"${twice}" is there twice.`);
  }
  return names;
}

// The sides and the temporary folder go with this process.
process.once("SIGINT", () => process.exit(EXIT.interrupted));
process.once("SIGTERM", () => process.exit(EXIT.interrupted));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    printError(error, process.argv.includes("--json"));
    process.exitCode = error instanceof MerclabError && error.code !== "engine" ? EXIT.usage : EXIT.failed;
  }
}
