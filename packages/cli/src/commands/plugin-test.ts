// `exp plugin test`: the contract suite on one plugin, then the tests that its author wrote beside it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { MerclabError } from "@merclab/core";
import { checkLaws, LAWS, type LawReport, subjectOf, TESTED_KINDS, type TestedKind } from "@merclab/plugin-kit";
import { type AssignmentValue, parseOverride } from "@merclab/runner";
import { Command } from "commander";
import pc from "picocolors";
import { findPlugin } from "../find-plugin.ts";
import { EXIT, printJson, printText } from "../output.ts";
import { openSite } from "../site.ts";

const EXAMPLES = `
Examples:
  $ exp plugin test mine
  $ exp plugin test fusion/lmam rank=4
  $ exp plugin test encoder/transformer numLayers=2 --json`;

const IDLE_HINT =
  "pattern of parameters that need not learn, such as biases of attention keys: --idle 'key\\.bias$'; all others must then";

interface TestOptions {
  readonly idle?: string;
  readonly json?: boolean;
}

export function pluginTestCommand(): Command {
  return new Command("test")
    .description("Check what must hold for every encoder, fusion, objective and balancer on one of them")
    .argument("<plugin>", "KIND/NAME, or NAME where it is the only one of that name")
    .argument("[options...]", "options of the plugin: rank=4 schedule.kind=cosine")
    .option("--idle <pattern>", IDLE_HINT)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (what: string, given: string[], options: TestOptions) => {
      process.exitCode = await test(what, given, options);
    });
}

async function test(what: string, given: readonly string[], { idle, json = false }: TestOptions): Promise<number> {
  const site = await openSite({});
  const plugin = findPlugin(site.registry, what);
  const kind = testedKind(plugin.kind);
  const more = idle === undefined ? {} : { idle: parsePattern(idle) };
  const { subject, model } = await subjectOf(site.registry, kind, plugin.name, optionsOf(given), more);
  const source = site.own.find(({ plugins }) => plugins.includes(plugin));
  if (!json) {
    const around = Object.entries(model).flatMap(([part, name]) => (part === kind ? [] : [`${part} ${name}`]));
    printText(`${pc.bold(`${kind}/${plugin.name}`)}${source === undefined ? "" : `  ${relative("", source.file)}`}`);
    printText(`in a model of ${around.join(", ")}; text, audio and visual, dialogues of 3, 1 and 4 utterances\n`);
  }
  const laws = await checkLaws(subject, (report) => {
    if (!json) {
      printText(lawText(report));
    }
  });
  const own = source === undefined ? undefined : await runOwnTests(source.file);
  const broken = laws.filter(({ holds }) => !holds).length;
  const failed = broken > 0 || own?.passed === false;
  if (json) {
    printJson({
      plugin: `${kind}/${plugin.name}`,
      options: subject.parts[kind]?.options,
      model,
      laws,
      tests: own ?? null,
    });
    return failed ? EXIT.failed : EXIT.done;
  }
  if (own !== undefined) {
    printText(
      `\n${own.passed ? pc.green("✓") : pc.red("✗")} ${relative("", own.file)}${own.passed ? "" : `\n${own.output}`}`,
    );
  }
  const left = LAWS.length - laws.length;
  const leftOut = left === 0 ? "" : `; ${left} more were not checked, since the model does not run`;
  const verdict = broken === 0 ? `${laws.length} laws hold` : `${broken} of ${laws.length} laws are broken${leftOut}`;
  const tests = own === undefined ? "" : own.passed ? ", its own tests pass" : ", its own tests fail";
  printText(`\n${failed ? pc.red(`${verdict}${tests}`) : pc.green(`${verdict}${tests}`)}`);
  return failed ? EXIT.failed : EXIT.done;
}

function testedKind(kind: string): TestedKind {
  const tested = TESTED_KINDS.find((each) => each === kind);
  if (tested === undefined) {
    throw new MerclabError("config", `there are no laws for plugins of kind ${kind}`, {
      hint: `They are known for ${TESTED_KINDS.join(", ")}.`,
    });
  }
  return tested;
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new MerclabError("config", `--idle ${text} is no regular expression: ${(cause as Error).message}`, {
      where: `command line: --idle ${text}`,
      hint: "A pattern that names end with: --idle 'key\\.bias$'.",
      cause,
    });
  }
}

/** `a.b=1` as `{ a: { b: 1 } }`. */
function optionsOf(given: readonly string[]): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const argument of given) {
    const { key, values, where } = parseOverride(argument);
    if (values.length > 1) {
      throw new MerclabError("config", `${key} has ${values.length} values; one set of options is tested at a time`, {
        where,
        hint: "A list is written in brackets: key=[a,b].",
      });
    }
    setDeep(options, key.split("."), values[0] ?? null);
  }
  return options;
}

function setDeep(
  target: Record<string, unknown>,
  [first = "", ...rest]: readonly string[],
  value: AssignmentValue,
): void {
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = { ...(target[first] as Record<string, unknown> | undefined) };
  target[first] = inner;
  setDeep(inner, rest, value);
}

function lawText({ law, says, holds, figures, problems, advice }: LawReport): string {
  const mark = holds ? pc.green("✓") : pc.red("✗");
  const lines = [`${mark} ${law.padEnd(LAW_WIDTH)} ${says}${figures === "" ? "" : pc.dim(`: ${figures}`)}`];
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) {
    lines.push(`${INDENT}${pc.red(problem)}`);
  }
  if (problems.length > SHOWN_PROBLEMS) {
    lines.push(`${INDENT}… and ${problems.length - SHOWN_PROBLEMS} more`);
  }
  return [...lines, ...(advice === undefined ? [] : [`${INDENT}→ ${advice}`])].join("\n");
}

const LAW_WIDTH = 10;
const INDENT = " ".repeat(LAW_WIDTH + 3);
const SHOWN_PROBLEMS = 4;

interface OwnTests {
  readonly file: string;
  readonly passed: boolean;
  /** What they printed. */
  readonly output: string;
}

/** Runs `mine.test.ts` beside `mine.ts` with Node's own test runner; undefined where there is none. */
async function runOwnTests(file: string): Promise<OwnTests | undefined> {
  const beside = file.replace(/(\.[cm]?[jt]sx?)$/, ".test$1");
  if (beside === file || !existsSync(beside)) {
    return undefined;
  }
  const hooks = new URL("../../bin/register.mjs", import.meta.url).href;
  const child = spawn(process.execPath, ["--import", hooks, "--test-reporter", "spec", beside], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      output += part;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { file: beside, passed: code === 0, output: stripVTControlCharacters(output).trimEnd() };
}
