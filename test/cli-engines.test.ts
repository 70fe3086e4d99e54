// Engines as a user meets them: which one `auto` takes, and what happens where ONNX Runtime's library cannot be loaded.
import { afterAll, describe, expect, test } from "vitest";
import { findAdapter } from "../packages/jit/test/webgpu-adapter.ts";
import { createWorkplace, STUDY, trialsOf } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const place = createWorkplace();
place.write({ "experiments/tiny.yaml": STUDY.replace("  engine: cpu\n", "").replace("[sdt, lmam]", "[lmam]") });
/** Makes the dynamic linker's part fail, as it does where the system lacks what the library needs. */
place.write({
  "no-onnxruntime.cjs": `const { dlopen } = process;
process.dlopen = (module, file, ...rest) => {
  if (file.includes("onnxruntime")) throw new Error("libstdc++.so.6: version GLIBCXX_3.4.30 not found");
  return dlopen(module, file, ...rest);
};
`,
});
const WITHOUT_ONNX = { NODE_OPTIONS: `--require ${place.folder}/no-onnxruntime.cjs` };
afterAll(place.remove);

const enginesOf = () =>
  trialsOf(place.folder).map(({ spec, isDone }) => {
    const { engine } = spec.config as { engine: { name: string } };
    return `${engine.name} ${isDone ? "done" : "missing"}`;
  });

test(
  "where onnx is broken, auto takes wasm and says why, doctor says what to do, and asking for onnx is an error",
  async () => {
    const [run, named, doctor] = await Promise.all([
      place.expWith(WITHOUT_ONNX, "run", "tiny", "--seeds", "1"),
      place.expWith(WITHOUT_ONNX, "plan", "tiny", "--engine", "onnx"),
      place.expWith(WITHOUT_ONNX, "doctor", "--json"),
    ]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr.split("\n")[2]).toBe(
      "Engine: wasm, tfjs 4.22.0 on WebAssembly SIMD (auto: the fastest that works here; onnx does not (ONNX Runtime " +
        "cannot be loaded: libstdc++.so.6: version GLIBCXX_3.4.30 not found))",
    );
    expect(enginesOf()).toEqual(["wasm done"]);
    expect(named).toMatchObject({ code: 2, stdout: "" });
    expect(named.stderr).toMatch(
      /^error engine onnx does not work here: .*GLIBCXX[^\n]*\n {2}at command line: engine=onnx/,
    );
    expect(named.stderr).toMatch(/→ Install the packages again.*--engine auto takes the fastest that works/);
    expect(doctor.code).toBe(1);
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      engines: [
        { name: "onnx", state: "broken" },
        { name: "wasm" },
        { name: "cpu" },
        { name: "onnx-webgpu", state: "broken" },
      ],
      findings: expect.arrayContaining([
        expect.objectContaining({ what: "engine onnx", mend: expect.stringContaining("--engine wasm") }),
        expect.objectContaining({ what: "engine auto", found: expect.stringMatching(/^takes wasm/) }),
      ]),
    });
  },
  TIMEOUT_MS,
);

test(
  "the study goes on with the engine that it began on, until another one is asked for",
  async () => {
    const kept = await place.exp("run", "tiny", "--seeds", "2");
    expect(kept).toMatchObject({ code: 0 });
    expect(kept.stderr).toMatch(
      /^Engine: wasm, .* \(auto: 1 of 2 trials are stored on it; onnx is faster here, --engine onnx trains all anew\)$/m,
    );
    expect(enginesOf()).toEqual(["wasm done", "wasm done"]);
    const moved = await place.exp("run", "tiny", "--seeds", "2", "--engine", "onnx");
    expect(moved).toMatchObject({ code: 0 });
    expect(moved.stderr).toMatch(/^Engine: onnx, ONNX Runtime [\d.]+ \(command line: engine=onnx\)$/m);
    expect(enginesOf().sort()).toEqual(["onnx done", "onnx done", "wasm done", "wasm done"]);
    expect(moved.stdout).not.toMatch(/different engines/);
  },
  TIMEOUT_MS,
);

const { found, driver } = findAdapter();

describe.skipIf(!found)("with an adapter of WebGPU", () => {
  const withAdapter = driver === undefined ? {} : { VK_ICD_FILENAMES: driver };

  test(
    "onnx-webgpu trains where it is asked for, and auto leaves it alone",
    async () => {
      const other = createWorkplace();
      other.write({ "experiments/tiny.yaml": STUDY.replace("  engine: cpu\n", "").replace("[sdt, lmam]", "[lmam]") });
      const run = await other.expWith(withAdapter, "run", "tiny", "--seeds", "1", "--engine", "onnx-webgpu");
      expect(run).toMatchObject({ code: 0 });
      expect(run.stderr).toMatch(
        /^Engine: onnx-webgpu, ONNX Runtime [\d.]+, a GPU adapter of WebGPU \(command line: engine=onnx-webgpu\)$/m,
      );
      expect(run.stderr).toMatch(/^✓ folder {2}lmam {2}seed 0 {2}weighted-f1 \d/m);
      const doctor = await other.expWith(withAdapter, "doctor", "--json");
      other.remove();
      expect(JSON.parse(doctor.stdout)).toMatchObject({
        engines: expect.arrayContaining([expect.objectContaining({ name: "onnx-webgpu", state: "works" })]),
        findings: expect.arrayContaining([
          expect.objectContaining({ what: "engine auto", found: expect.stringMatching(/^takes onnx \(/) }),
        ]),
      });
    },
    TIMEOUT_MS,
  );
});

test.skipIf(process.platform !== "linux")(
  "without an adapter of WebGPU, asking for onnx-webgpu says what it takes",
  async () => {
    const named = await place.expWith({ VK_ICD_FILENAMES: "/nothing" }, "plan", "tiny", "--engine", "onnx-webgpu");
    expect(named).toMatchObject({ code: 2, stdout: "" });
    expect(named.stderr).toMatch(/^error engine onnx-webgpu does not work here: .*no GPU adapter was found$/m);
    expect(named.stderr).toMatch(/→ On Linux it takes the Vulkan loader .*Or use --engine onnx/);
  },
  TIMEOUT_MS,
);
