import { MerclabError, nearestName, suggestName } from "@merclab/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const known = ["concat", "gated", "lmam", "sdt", "tensor-fusion"];

describe("nearestName", () => {
  it.each([
    ["std", "sdt"],
    ["lman", "lmam"],
    ["LMAM", "lmam"],
    ["gatd", "gated"],
    ["tensor_fusion", "tensor-fusion"],
    ["tensorfuson", "tensor-fusion"],
  ])("finds what %s was meant to be", (name, expected) => {
    expect(nearestName(name, known)).toBe(expected);
  });

  it.each(["transformer-xl", "", "q"])("finds nothing for %j", (name) => {
    expect(nearestName(name, known)).toBeUndefined();
  });

  it("suggests no name that shares nothing with the one given", () => {
    expect(nearestName("lr", ["ab"])).toBeUndefined();
    expect(nearestName("t", ["a", "v"])).toBeUndefined();
  });

  it("finds a known name itself, in whatever letter case", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (names, i) => {
          const name = names[i % names.length] ?? "";
          expect(nearestName(name.toUpperCase(), names)).toBe(name);
        },
      ),
    );
  });

  it("finds a longer name again after one letter was lost", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{4,12}$/), fc.nat(), (name, i) => {
        const at = i % name.length;
        expect(nearestName(name.slice(0, at) + name.slice(at + 1), [name, "0123456789"])).toBe(name);
      }),
    );
  });
});

describe("suggestName", () => {
  it("names the nearest and lists all in order", () => {
    expect(suggestName("std", ["sdt", "concat"])).toBe('Did you mean "sdt"? Known: concat, sdt.');
  });

  it("lists the known names when none is near", () => {
    expect(suggestName("transformer-xl", ["sdt", "concat"])).toBe("Known: concat, sdt.");
  });

  it("says so when nothing is known", () => {
    expect(suggestName("sdt", [])).toBe("None is known.");
  });
});

describe("MerclabError", () => {
  it("carries code, place, hint and cause", () => {
    const cause = new Error("disk full");
    const error = new MerclabError("storage", "cannot write", { where: "runs/1", hint: "Free some space.", cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "MerclabError", code: "storage", where: "runs/1", hint: "Free some space." });
    expect(error.cause).toBe(cause);
  });

  it("has no cause where none was given", () => {
    expect("cause" in new MerclabError("data", "bad row")).toBe(false);
  });
});
