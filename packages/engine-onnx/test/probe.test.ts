// What the engine says of a machine for which ONNX Runtime has no build.
import { expect, onTestFinished, test } from "vitest";
import { onnxPlugin } from "../src/plugin.ts";

test("a processor without a build is told apart from a library that fails", async () => {
  const { arch } = process;
  onTestFinished(() => void Object.defineProperty(process, "arch", { value: arch }));
  Object.defineProperty(process, "arch", { value: "riscv64" });
  expect(await onnxPlugin.probe()).toEqual({
    state: "absent",
    found: `ONNX Runtime's package holds no build for ${process.platform} riscv64`,
    versions: {},
    hint: "Use another engine here, e.g. --engine wasm.",
  });
});
