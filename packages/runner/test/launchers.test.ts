// Launchers by name: their options, and what they render and call.
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseOverride } from "../src/index.ts";
import { type ArrayFile, newArray } from "../src/launchers/array-file.ts";
import type { JobTemplate } from "../src/launchers/launcher.ts";
import { createLauncher, listLaunchers, readLauncher } from "../src/launchers/settings.ts";
import { errorOf, temporaryFolder, write } from "./support.ts";

const launcher = { name: "x", kind: "x", options: {} };
const TRIALS = ["aaa", "bbb", "ccc"];

function template(change: Partial<JobTemplate["array"]> = {}): JobTemplate {
  return {
    array: { ...newArray("My study_2", 4, { launcher, trials: TRIALS }), name: "exp-my-study-2-4-abc", ...change },
    folder: "/runs/my study",
    path: "/runs/my study/arrays/4",
    command: {
      cwd: "/home/a b",
      node: "/bin/node",
      exp: "/lab/exp.mjs",
      data: "/data",
      checkpointEvery: 10,
      keepWeights: "best",
    },
  };
}

async function read(name: string | undefined, overrides: readonly string[], files: Record<string, string> = {}) {
  const folder = temporaryFolder();
  write(folder, files);
  try {
    return await readLauncher(name, overrides.map(parseOverride), [folder]);
  } catch (error) {
    return errorOf(() => {
      throw error;
    }, folder);
  }
}

test("a choice is a file with options, which the command line replaces; without a file it is a launcher's own name", async () => {
  const files = { "launcher/a100.yaml": "summary: x\nlauncher: slurm\noptions: { partition: gpu, gpus: 1 }\n" };
  expect(await read("a100", ["launcher.partition=short", "launcher.time=90"], files)).toEqual({
    name: "a100",
    kind: "slurm",
    options: { partition: "short", gpus: 1, time: 90 },
  });
  expect(await read(undefined, ["launcher=slurm"])).toEqual({ name: "slurm", kind: "slurm", options: {} });
  expect(await read(undefined, [])).toBeUndefined();
  expect(await read("local", [])).toBeUndefined();
  const folder = temporaryFolder();
  write(folder, files);
  expect(await listLaunchers([folder])).toEqual([
    { name: "a100", summary: "x" },
    { name: "command", summary: undefined },
    { name: "kubernetes", summary: undefined },
    { name: "slurm", summary: undefined },
  ]);
});

test.each([
  ["slum", [], {}, /^config \| command line: --launcher slum \| unknown launcher "slum" \| Did you mean "slurm"\?/],
  ["local", ["launcher.time=5"], {}, /^config \| command line: launcher.time=5 \| launcher local has no options/],
  ["slurm", ["launcher.tme=5"], {}, /command line: launcher.tme=5 \| launcher slurm: unknown key "tme".*"time"/],
  ["slurm", ["launcher.time=4h"], {}, /launcher.time=4h \| launcher slurm: "time": expected a time such as 90/],
  ["slurm", ["launcher.cpus=1,2"], {}, /launcher.cpus=1,2 \| "launcher.cpus" takes one value/],
  ["slurm", ['launcher.partition="a\\nb"'], {}, /expected one line of text/],
  ["slurm", ["launcher.extra=[-w]"], {}, /expected an option of sbatch/],
  [
    "big",
    [],
    { "launcher/big.yaml": "launcher: slurm\noptions:\n  mem: much\n" },
    /DIR\/launcher\/big.yaml:3 .*such as "8G"/,
  ],
  [
    "big",
    [],
    { "launcher/big.yaml": "launcher: pbs\n" },
    /DIR\/launcher\/big.yaml:1 \| unknown launcher "pbs" \| .*Known: command/,
  ],
  ["big", [], { "launcher/big.yaml": "laucher: slurm\n" }, /big.yaml:1 \| unknown key "laucher".*"launcher"/],
  ["command", [], {}, /launcher command: missing "submit"/],
  ["command", ["launcher.submit=x {job}"], {}, /\{job\} is unknown here; known: \{script\}, \{name\}/],
  ["command", ["launcher.submit=x {host}"], {}, /needs launcher.hosts/],
  ["command", ["launcher.submit=x", "launcher.job=("], {}, /"job": expected a regular expression/],
  ["kubernetes", ["launcher.claim=c", "launcher.mount=/m"], {}, /launcher kubernetes: missing "image"/],
])("%s %j is refused with its place", async (name, overrides, files, message) => {
  expect(await read(name, overrides, files as Record<string, string>)).toMatch(message);
});

test("Slurm's script: every option as a directive, and the supervisor in the place of the shell", () => {
  const slurm = createLauncher({
    kind: "slurm",
    options: {
      partition: "gpu",
      time: "4:00:00",
      cpus: 4,
      mem: "8G",
      gpus: 1,
      throttle: 2,
      setup: ["module load node"],
      extra: ["--exclude=n1"],
    },
  });
  expect(slurm.render(template({ threads: 4 })).split("\n")).toEqual([
    "#!/bin/bash",
    "#SBATCH --job-name=exp-my-study-2-4-abc",
    "#SBATCH --array=0-2%2",
    '#SBATCH --output="/runs/my study/arrays/4-%a.out"',
    "#SBATCH --open-mode=append",
    "#SBATCH --signal=B:USR2@180",
    "#SBATCH --partition=gpu",
    "#SBATCH --time=4:00:00",
    "#SBATCH --nodes=1",
    "#SBATCH --ntasks=1",
    "#SBATCH --cpus-per-task=4",
    "#SBATCH --mem=8G",
    "#SBATCH --gres=gpu:1",
    "#SBATCH --requeue",
    "#SBATCH --exclude=n1",
    "set -e",
    "module load node",
    "cd '/home/a b'",
    "exec /bin/node /lab/exp.mjs trial run --from-array '/runs/my study/arrays/4.json' --checkpoint-every 10 --keep-weights best " +
      "--data /data --threads 4 --grace 180 --time-limit 14400 --requeue",
    "",
  ]);
});

test("Kubernetes' manifest: an index a trial, and what exit codes mean", () => {
  const kubernetes = createLauncher({
    kind: "kubernetes",
    options: { image: "lab:1", claim: "shared", mount: "/runs", throttle: 2, gpus: 1, mem: "8Gi" },
  });
  expect(parse(kubernetes.render(template()))).toEqual({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "exp-my-study-2-4-abc" },
    spec: {
      completionMode: "Indexed",
      completions: 3,
      parallelism: 2,
      backoffLimitPerIndex: 3,
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          { action: "Ignore", onExitCodes: { containerName: "trial", operator: "In", values: [75] } },
          { action: "FailIndex", onExitCodes: { containerName: "trial", operator: "In", values: [1, 76, 78] } },
          { action: "Count", onExitCodes: { containerName: "trial", operator: "In", values: [79] } },
        ],
      },
      template: {
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 180,
          containers: [
            {
              name: "trial",
              image: "lab:1",
              command: ["exp", "trial", "run", "--from-array", "/runs/my study/arrays/4.json"].concat([
                "--checkpoint-every",
                "10",
                "--keep-weights",
                "best",
                "--data",
                "/data",
              ]),
              workingDir: "/home/a b",
              resources: {
                requests: { cpu: "1", memory: "8Gi", "nvidia.com/gpu": 1 },
                limits: { cpu: "1", memory: "8Gi", "nvidia.com/gpu": 1 },
              },
              volumeMounts: [{ name: "shared", mountPath: "/runs" }],
            },
          ],
          volumes: [{ name: "shared", persistentVolumeClaim: { claimName: "shared" } }],
        },
      },
    },
  });
});

test("commands are filled in, ids are found, and jobs are asked for and ended host by host", async () => {
  const folder = temporaryFolder();
  const remote = join(folder, "remote");
  // As ssh does: a host, and a line for its shell.
  write(folder, {
    remote: `#!/bin/sh\necho "$@" >> '${folder}/calls'\nhost=$1; shift\nHOST=$host sh -c "$*"\n`,
    "4.sh": "",
  });
  chmodSync(remote, 0o755);
  const command = createLauncher({
    kind: "command",
    options: {
      submit: `${remote} {host} "echo started {worker} on {host} as 4\\\${HOST#n}"`,
      job: "as (\\d+)$",
      poll: `${remote} {host} "for job in {jobs}; do test \\$job = 42 && echo \\$job alive; done; true"`,
      cancel: `${remote} {host} "true {jobs}"`,
      hosts: ["n1", "n2"],
    },
  });
  const array: ArrayFile = { ...newArray("s", 4, { launcher, trials: TRIALS }) };
  const answer = await command.submit?.(array, join(folder, "4.sh"));
  expect(answer).toEqual({ jobs: ["n1 41", "n2 42"], failures: [] });
  const submitted = { ...array, jobs: answer?.jobs ?? [] };
  const tasks = (await command.poll?.([submitted]))?.tasks.get(array.name);
  expect(tasks?.get(2)).toEqual({ state: "waiting", detail: "for its worker", job: "n2 42" });
  await command.cancel?.([{ array: submitted, indices: "all" }]);
  await command.cancel?.([{ array: submitted, indices: [1] }]); // a worker has other trials too
  expect(readFileSync(join(folder, "calls"), "utf8").trim().split("\n").slice(-2)).toEqual([
    "n1 true 41",
    "n2 true 42",
  ]);
  const submissions = () => readFileSync(join(folder, "calls"), "utf8").split("started").length - 1;
  const before = submissions();
  const unread = createLauncher({
    kind: "command",
    options: { submit: `${remote} {host} "echo started"`, job: "as (\\d+)$", hosts: ["n1", "n2"] },
  });
  expect(await errorOf(() => unread.submit?.(array, join(folder, "4.sh")))).toMatch(/no job id .* "started"/);
  expect(submissions() - before).toBe(1); // no more jobs that nobody knows
  const mute = createLauncher({ kind: "command", options: { submit: "true" } });
  expect(await errorOf(() => mute.submit?.(array, join(folder, "4.sh")))).toMatch(
    /^config \| launcher.submit: true \| no job id in what the command printed: "" \| launcher.job/,
  );
});
