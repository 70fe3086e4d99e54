// What may stand on the command line.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseOverride } from "../src/index.ts";
import { errorOf } from "./support.ts";

const values = (argument: string) => parseOverride(argument).values;

describe("values", () => {
  test.each([
    ["lr=1e-4", 1e-4],
    ["lr=-.5", -0.5],
    ["lr=+3", 3],
    ["on=true", true],
    ["clip=null", null],
    ["name=1e-4x", "1e-4x"],
    ["name='1e-4'", "1e-4"],
    ["name=a=b", "a=b"],
    ["name= text ", "text"],
  ])("%s is one value", (argument, value) => {
    expect(values(argument)).toEqual([value]);
  });

  test("commas make a sweep, in order", () => {
    expect(values("fusion=sdt,lmam")).toEqual(["sdt", "lmam"]);
    expect(values("fusion.lmam.rank=16, 4")).toEqual([16, 4]);
  });

  test("commas inside brackets and quotes do not split", () => {
    expect(values("dataset.modalities=[text,audio]")).toEqual([["text", "audio"]]);
    expect(values("dataset.modalities=[text,audio],[text]")).toEqual([["text", "audio"], ["text"]]);
    expect(values("x={a: 1, b: [2, 3]},4")).toEqual([{ a: 1, b: [2, 3] }, 4]);
    expect(values('x="a,b",c')).toEqual(["a,b", "c"]);
    expect(values("x=['a,]', b],c")).toEqual([["a,]", "b"], "c"]);
  });

  test("an escaped quote ends no text", () => {
    expect(values('x=["\\"]",""],a')).toEqual([['"]', ""], "a"]); // found by the law below
    expect(values("x='it''s, b',c")).toEqual(["it's, b", "c"]);
  });

  test("an apostrophe within a word quotes nothing", () => {
    expect(values("x=it's,b")).toEqual(["it's", "b"]);
    expect(values("x=[it's],b")).toEqual([["it's"], "b"]);
  });

  test("every finite number comes back as it was written", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(number, { minLength: 1 }), (numbers) => {
        expect(values(`x=${numbers.map((each) => (Object.is(each, -0) ? "-0" : String(each))).join(",")}`)).toEqual(
          numbers,
        );
      }),
    );
  });

  test("every list of JSON values comes back, whatever commas, quotes and brackets its texts hold", () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    fc.assert(
      fc.property(fc.array(leaf, { minLength: 1 }), (list) => {
        expect(values(`x=${JSON.stringify(list)}`)).toEqual([list]);
      }),
      { numRuns: 1000 },
    );
  });
});

test("key and place are kept", () => {
  expect(parseOverride(" fusion.lmam.rank = 4")).toMatchObject({
    key: "fusion.lmam.rank",
    where: "command line:  fusion.lmam.rank = 4",
  });
});

test.each(["fusion", "=sdt", " =sdt", "fusion=", "fusion=  ", "fusion=sdt,", "fusion=,sdt", "fusion=sdt,,lmam", ""])(
  "%j is refused with an example",
  async (argument) => {
    expect(await errorOf(() => parseOverride(argument))).toBe(
      `config | command line: ${argument} | "${argument}" is no override | ` +
        "Overrides look like optimizer.lr=1e-4 or fusion=sdt,lmam.",
    );
  },
);

test.each(["x=[1,2", "x={a: 1", 'x="open'])("%s cannot be read", async (argument) => {
  expect(await errorOf(() => parseOverride(argument))).toMatch(/^config \| command line: .*cannot read the value/);
});
