// Checks laws one after another, each on the engine that it wants.
import { createEagerEngine, MerclabError } from "@merclab/core";
import type { Finding, Law, LawReport } from "./law.ts";
import { LAWS } from "./laws/index.ts";
import type { Subject } from "./subject.ts";

/** Checks one law; whatever is thrown on the way is a problem with the place where it was thrown, where that is known. */
export async function checkLaw(law: Law, subject: Subject): Promise<LawReport> {
  const { name, says, advice } = law;
  if (law.engine !== "own") {
    await createEagerEngine(law.engine).start();
  }
  let finding: Finding;
  try {
    finding = await law.check(subject);
  } catch (error) {
    finding = { figures: "", problems: [describe(error)] };
  }
  const holds = finding.problems.length === 0;
  return { law: name, says, holds, ...finding, ...(holds ? {} : { advice }) };
}

/** Checks all laws. Where a model cannot even be put together or run, the rest would only repeat it, and is left out. */
export async function checkLaws(
  subject: Subject,
  onReport: (report: LawReport) => void = () => undefined,
): Promise<LawReport[]> {
  const reports: LawReport[] = [];
  for (const law of LAWS) {
    const report = await checkLaw(law, subject);
    reports.push(report);
    onReport(report);
    if (law.name === "shapes" && !report.holds && report.figures === "") {
      break;
    }
  }
  return reports;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const known = "where" in error && typeof error.where === "string" ? error.where : undefined;
  const where = known ?? (error instanceof MerclabError ? undefined : userLine(error));
  return `${error.message}${where === undefined ? "" : ` (${where})`}`;
}

/** The first line of the stack in nobody's packages and not in this one. */
function userLine(error: Error): string | undefined {
  const lines = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const own = lines.find((line) => !/node_modules|node:|plugin-kit.src/.test(line));
  return own === undefined ? undefined : /\(?((?:file:\/\/)?\/?[^()\s]*:\d+:\d+)\)?$/.exec(own.trim())?.[1];
}
