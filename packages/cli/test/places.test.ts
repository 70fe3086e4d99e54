import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findPlaces } from "../src/places.ts";

describe("places", () => {
  let cwd: string;
  beforeEach(() => {
    cwd = join(mkdtempSync(join(tmpdir(), "merclab-places-")), "project");
    mkdirSync(cwd);
  });
  afterEach(() => rmSync(join(cwd, ".."), { recursive: true, force: true }));

  it("takes the data root from the option, the environment, data/ and ../shared/data, in this order", () => {
    expect(findPlaces({}, {}, cwd).dataRoot).toBeUndefined();
    mkdirSync(join(cwd, "../shared/data"), { recursive: true });
    expect(findPlaces({}, {}, cwd).dataRoot).toBe(join(cwd, "../shared/data"));
    mkdirSync(join(cwd, "data"));
    expect(findPlaces({}, {}, cwd).dataRoot).toBe(join(cwd, "data"));
    mkdirSync(join(cwd, "named"));
    expect(findPlaces({}, { MERCLAB_DATA: "named" }, cwd).dataRoot).toBe(join(cwd, "named"));
    mkdirSync(join(cwd, "given"));
    expect(findPlaces({ data: "given" }, { MERCLAB_DATA: "named" }, cwd).dataRoot).toBe(join(cwd, "given"));
  });

  it("refuses a data root that was named and does not exist", () => {
    const missing = expect.objectContaining({ code: "data", where: "--data" });
    expect(() => findPlaces({ data: "nowhere" }, {}, cwd)).toThrow(missing);
    expect(() => findPlaces({}, { MERCLAB_DATA: "nowhere" }, cwd)).toThrow(/nowhere does not exist/);
  });

  it("looks into the user's own experiments and configs before the shipped ones", () => {
    const shipped = findPlaces({}, {}, cwd);
    expect(shipped.experiments).toHaveLength(1);
    mkdirSync(join(cwd, "experiments"));
    mkdirSync(join(cwd, "configs"));
    const own = findPlaces({}, {}, cwd);
    expect(own.experiments).toEqual([join(cwd, "experiments"), ...shipped.experiments]);
    expect(own.configs).toEqual([join(cwd, "configs"), ...shipped.configs]);
    expect(own.runs).toBe(join(cwd, "runs"));
  });
});
