// Every kernel of tfjs has a rule or a reason why it has none, and the README lists both.
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { jit, RULES } from "../src/index.ts";
import { FAMILIES } from "../src/rules/index.ts";
import { REFUSED } from "../src/rules/refused.ts";
import "./support.ts";

/** Names that tfjs exports as constants of themselves, and those that its cpu backend has a kernel for. */
const kernels = new Set([
  ...Object.entries(tf).flatMap(([name, value]) => (name === value ? [name] : [])),
  ...tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName),
]);

describe("kernels of tfjs", () => {
  it("have either a rule or a reason", () => {
    expect(kernels.size).toBeGreaterThan(150);
    const known = [...RULES.keys(), ...REFUSED.keys()];
    expect([...kernels].filter((kernel) => !known.includes(kernel))).toEqual([]);
    expect(known.filter((kernel) => !kernels.has(kernel))).toEqual([]);
    expect([...REFUSED.keys()].filter((kernel) => RULES.has(kernel))).toEqual([]);
  });

  it("have one rule each", () => {
    const names = Object.values(FAMILIES).flatMap((rules) => Object.keys(rules));
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it.each([...REFUSED])("%s is refused with its reason", async (kernel, reason) => {
    const fn = jit((x: tf.Tensor) => tf.engine().runKernel(kernel, { x }) as tf.Tensor);
    await expect(fn(tf.scalar(1))).rejects.toMatchObject({
      code: "unsupported-kernel",
      message: expect.stringContaining(`${kernel}(x float32[]): ${reason}`),
    });
    await fn.dispose();
  });
});

describe("the README", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

  it.each(Object.entries(FAMILIES))("lists the rules of %s", (family, rules) => {
    expect(readme).toContain(`- ${family}: ${Object.keys(rules).sort().join(", ")}\n`);
  });

  it.each([...new Set(REFUSED.values())])("lists what is refused because %s", (reason) => {
    const refused = [...REFUSED].flatMap(([kernel, why]) => (why === reason ? [kernel] : []));
    expect(readme).toContain(`| ${refused.join(", ")} | ${reason} |\n`);
  });
});
