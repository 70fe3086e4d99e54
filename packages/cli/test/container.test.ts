import { definePlugin, type Plugin } from "@merclab/core";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createRegistry } from "../src/container.ts";

const sgd = (name: string): Plugin =>
  definePlugin({
    kind: "optimizer",
    name,
    summary: "",
    options: z.strictObject({}),
    create: () => ({ init: () => ({}), update: (parameters) => ({ parameters, state: {} }) }),
  });

describe("the registry", () => {
  it("has every plugin that comes with merclab, by kind and name", () => {
    const registry = createRegistry();
    expect(registry.names("fusion")).toEqual(expect.arrayContaining(["sdt", "lmam"]));
    expect(registry.names("encoder")).toEqual(expect.arrayContaining(["linear", "transformer", "sdt"]));
    expect(registry.names("dataset")).toEqual(
      expect.arrayContaining(["iemocap", "cmu-mosi", "meld", "folder", "synthetic"]),
    );
    expect(registry.get("fusion", "lmam").kind).toBe("fusion");
    expect(registry.get("encoder", "sdt").kind).toBe("encoder");
  });

  it("names the nearest plugin for a misspelt one", () => {
    expect(() => createRegistry().get("fusion", "lman")).toThrow(
      expect.objectContaining({ code: "config", hint: expect.stringContaining('Did you mean "lmam"?') }),
    );
  });

  it("refuses two plugins of one kind and name", () => {
    expect(() => createRegistry([sgd("mine"), sgd("mine")])).toThrow('two plugins are optimizer "mine"');
    expect(createRegistry([sgd("mine"), sgd("other")]).names("optimizer")).toEqual(["mine", "other"]);
  });
});
