// Which engine a plan names: the fastest that works, the one a study began on, or the one that was asked for.
import type { Plugin } from "@merclab/core";
import { describe, expect, test } from "vitest";
import {
  chooseAutoEngine,
  createEngineProber,
  createTrialFolder,
  enginesByRank,
  type StudyPlan,
  TRIAL_FILES,
  writeJson,
} from "../src/index.ts";
import { createBench, createRegistry, engine, errorOf, SHIPPED, SMALL, temporaryFolder } from "./support.ts";

const STUDY = `datasets: [synthetic]${SMALL}`;

const nothingStored = async () => ({ stored: 0, of: 4 });

function choose(engines: readonly Plugin[], stored = nothingStored as Parameters<typeof chooseAutoEngine>[2]) {
  const registry = createRegistry(engines);
  return chooseAutoEngine(registry, createEngineProber(registry), stored);
}

/** A bench whose runs folder keeps what `store` marks as done. */
function study(engines: readonly Plugin[], files: Readonly<Record<string, string>> = {}) {
  const runsFolder = temporaryFolder();
  const bench = createBench(files, undefined, { plugins: [...SHIPPED, ...engines], runsFolder });
  const store = async (plan: StudyPlan, count = plan.trials.length) => {
    for (const spec of plan.trials.slice(0, count)) {
      await writeJson(`${await createTrialFolder(runsFolder, spec)}/${TRIAL_FILES.result}`, { id: spec.id });
    }
  };
  return { ...bench, store };
}

const namesOf = (plan: StudyPlan) => [...new Set(plan.trials.map(({ config }) => config.engine.name))];

describe("auto", () => {
  test("takes the fastest by rank, whatever the order of plugins", async () => {
    const engines = [
      engine({ name: "slow", rank: 9, state: "works" }),
      engine({ name: "fast", rank: 1, state: "works" }),
      engine({ name: "middle", rank: 5, state: "works" }),
    ];
    expect(enginesByRank(createRegistry(engines))).toEqual(["fast", "middle", "slow"]);
    expect(await choose(engines)).toEqual({
      name: "fast",
      why: "auto: the fastest that works here",
      found: "fast 1.0",
    });
  });

  test("passes over those that do not work and says so; slower ones are not even probed", async () => {
    const probed: string[] = [];
    const engines = [
      engine({ name: "a", rank: 1, state: "absent", probed }),
      engine({ name: "b", rank: 2, state: "broken", probed }),
      engine({ name: "c", rank: 3, state: "works", probed }),
      engine({ name: "d", rank: 4, state: "works", probed }),
    ];
    expect(await choose(engines)).toEqual({
      name: "c",
      why: "auto: the fastest that works here; a does not (no a here); b does not (no b here)",
      found: "c 1.0",
    });
    expect(probed).toEqual(["a", "b", "c"]);
  });

  test("is an error where none works", async () => {
    expect(
      await errorOf(() =>
        choose([engine({ name: "a", rank: 1, state: "absent" }), engine({ name: "b", rank: 2, state: "broken" })]),
      ),
    ).toBe(
      'engine | - | no engine works here: a does not (no a here); b does not (no b here) | "exp doctor" says what each needs.',
    );
  });

  test("is the default, and trials name the engine that it stood for", async () => {
    const { plan } = study([engine({ name: "fast", rank: 1, state: "works" })]);
    const byDefault = await plan(STUDY);
    expect(namesOf(byDefault)).toEqual(["fast"]);
    expect(byDefault.engines).toEqual([{ name: "fast", why: "auto: the fastest that works here", found: "fast 1.0" }]);
    for (const same of [await plan(STUDY, "engine=auto"), await plan(STUDY, "engine=fast")]) {
      expect(same.trials).toEqual(byDefault.trials);
    }
    const twice = await plan(STUDY, "engine=auto,fast");
    expect([twice.trials.length, twice.engines.length]).toEqual([1, 1]);
    expect((await plan(STUDY, "engine=auto,cpu")).trials.map(({ cell }) => cell.engine)).toEqual(["fast", "cpu"]);
  });

  test("can be a user's own choice; options go to what it stands for", async () => {
    const files = { "configs/engine/mine.yaml": "plugin: auto\noptions: { level: 3 }" };
    const { plan } = study([engine({ name: "fast", rank: 1, state: "works" })], files);
    expect((await plan(STUDY, "engine=mine")).trials[0]?.config.engine).toEqual({
      name: "fast",
      options: { level: 3 },
    });
    expect((await plan(STUDY, "engine.fast.level=2")).trials[0]?.config.engine.options).toEqual({ level: 2 });
    expect((await plan(STUDY, "engine.level=2")).trials[0]?.config.engine.options).toEqual({ level: 2 });
    expect(await errorOf(() => plan(STUDY, "engine=cpu", "engine.auto.level=2"))).toMatch(
      /^config \| command line: engine.auto.level=2 \| engine auto: unknown key "level"/,
    );
  });
});

describe("a study that began on one engine", () => {
  test("goes on with it under auto, and says which is faster", async () => {
    const { plan, store } = study([engine({ name: "fast", rank: 1, state: "works" })]);
    await store(await plan(STUDY, "engine=wasm", "seeds=2"));
    const more = await plan(STUDY, "seeds=3");
    expect(namesOf(more)).toEqual(["wasm"]);
    expect(more.engines).toEqual([
      {
        name: "wasm",
        why: "auto: 2 of 3 trials are stored on it; fast is faster here, --engine fast trains all anew",
        found: expect.stringContaining("WebAssembly"),
      },
    ]);
    expect(namesOf(await plan(STUDY, "seeds=3", "engine=fast"))).toEqual(["fast"]);
  });

  test("keeps nothing of trials that this plan does not contain", async () => {
    const { plan, store } = study([engine({ name: "fast", rank: 1, state: "works" })]);
    await store(await plan(STUDY, "engine=cpu", "trainer.epochs=1"));
    expect(namesOf(await plan(STUDY))).toEqual(["fast"]);
  });

  test("keeps the engine with most of the trials, the faster one where two have as many", async () => {
    const { plan, store } = study([engine({ name: "fast", rank: 1, state: "works" })]);
    await store(await plan(STUDY, "engine=wasm", "seeds=3"), 1);
    await store(await plan(STUDY, "engine=cpu", "seeds=3"), 2);
    expect(namesOf(await plan(STUDY, "seeds=4"))).toEqual(["cpu"]);
    await store(await plan(STUDY, "engine=wasm", "seeds=3"), 2);
    expect(namesOf(await plan(STUDY, "seeds=4"))).toEqual(["wasm"]);
  });

  test("trains all on another one where it does not work, and says so", async () => {
    const elsewhere = engine({ name: "fast", rank: 1, state: "works" });
    const { plan, store, site, folder } = study([elsewhere]);
    await store(await plan(STUDY, "seeds=2"));
    const here = createBench({}, undefined, {
      plugins: [...SHIPPED, engine({ name: "fast", rank: 1, state: "broken" })],
      runsFolder: site.runsFolder ?? "",
    });
    const more = await here.plan(STUDY, "seeds=3");
    expect(namesOf(more)).toEqual(["wasm"]);
    expect(more.engines[0]?.why).toBe(
      "auto: the fastest that works here; 2 of 3 trials are stored on fast and train again, since it does not work " +
        "here (no fast here)",
    );
    const all = await here.plan(STUDY, "seeds=2");
    expect(all.engines).toEqual([{ name: "fast", why: "auto: all 2 trials are stored on it", found: undefined }]);
    expect(await errorOf(() => here.plan(STUDY, "seeds=3", "engine=fast"), folder)).toMatch(/does not work here/);
    expect(namesOf(await here.plan(STUDY, "seeds=2", "engine=fast"))).toEqual(["fast"]);
  });
});

describe("an engine that is asked for by name", () => {
  test("must work: there is no silent way to another one", async () => {
    const { plan, folder } = study([engine({ name: "fast", rank: 1, state: "absent" })]);
    expect(await errorOf(() => plan(STUDY, "engine=fast"))).toBe(
      "engine | command line: engine=fast | engine fast does not work here: no fast here | " +
        "Install fast. --engine auto takes the fastest that works.",
    );
    expect(await errorOf(() => plan(`${STUDY}  engine: fast`), folder)).toMatch(/^engine \| DIR\/study.yaml:8 \|/);
    expect(namesOf(await plan(STUDY))).toEqual(["wasm"]);
  });

  test("is told with the place that asked for it", async () => {
    const { plan, folder } = study([]);
    const { engines } = await plan(`${STUDY}  engine: cpu`);
    expect(engines).toEqual([
      { name: "cpu", why: `${folder}/study.yaml:8`, found: expect.stringContaining("plain JavaScript") },
    ]);
  });
});

test("the shipped engines of core work here", async () => {
  for (const name of ["wasm", "cpu"]) {
    expect(await createEngineProber(createRegistry())(name)).toMatchObject({ state: "works", threads: "one" });
  }
});
