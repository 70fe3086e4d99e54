// Which MLflow this machine has: the one that MERCLAB_MLFLOW names, `mlflow` on PATH, or that of python3.
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { MerclabError } from "@merclab/core";

/** A command that stands for `mlflow`. */
export type MlflowCommand = readonly [string, ...string[]];

const TIMEOUT_MS = 60_000;

/** @throws MerclabError `config` when there is none, with the command that installs it */
export async function findMlflow(environment: NodeJS.ProcessEnv = process.env): Promise<MlflowCommand> {
  const { MERCLAB_MLFLOW: named = "", PATH = "" } = environment;
  if (named !== "") {
    if (!isExecutable(named)) {
      throw new MerclabError("config", `${named} is no program that can be run`, {
        where: "environment variable MERCLAB_MLFLOW",
        hint: "Give the path of an mlflow executable, such as .venv/bin/mlflow.",
      });
    }
    return [named];
  }
  const onPath = PATH.split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, "mlflow"))
    .find(isExecutable);
  if (onPath !== undefined) {
    return [onPath];
  }
  if (await hasModule("python3", environment)) {
    return ["python3", "-m", "mlflow"];
  }
  throw new MerclabError("config", "no MLflow on this machine", {
    where: "neither MERCLAB_MLFLOW, nor mlflow on PATH, nor python3 -m mlflow",
    hint: "Install it: python3 -m pip install mlflow",
  });
}

/** Without importing it, which takes seconds. */
async function hasModule(python: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const script = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mlflow') is None)";
  try {
    await promisify(execFile)(python, ["-c", script], { env: environment, timeout: TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
