// Conformance cases 43 and 44, and Python's own client as a second reader.

import { request } from "node:http";
import { expect, it } from "vitest";
import { MlflowClient } from "../../src/index.ts";
import type { Conformance } from "./context.ts";
import { python } from "./python.ts";

export function serverCases(given: () => Conformance, major: number): void {
  it("Python's MlflowClient reads what this one wrote", async () => {
    const { server, client, experimentId, unique } = given();
    const uniqueTag = { key: "exp.run_key", value: unique("python") };
    const { info } = await client.createRun(experimentId, { runName: "from node", startTime: 1234, uniqueTag });
    const values = [0.5, Number.NaN, Number.POSITIVE_INFINITY];
    await client.logBatch(info.runId, {
      metrics: values.map((value, step) => ({ key: "val/f1", value, step, timestamp: 10 + step })),
      params: [{ key: "lr", value: "0.001" }],
      tags: [{ key: "note", value: "ü" }],
    });
    await client.logInputs(info.runId, [
      { dataset: { name: "meld", digest: "d1", sourceType: "local", source: "{}" }, context: "test" },
    ]);
    await client.logText(info.runId, "hallo ü", "notes/a b.txt");
    await client.setTerminated(info.runId, "FINISHED", 5678);
    const read = JSON.parse(await python(server, READ_RUN, info.runId));
    expect(read).toEqual({
      name: "from node",
      status: "FINISHED",
      times: [1234, 5678],
      params: { lr: "0.001" },
      note: "ü",
      key: uniqueTag.value,
      history: [
        [10, 0, "0.5"],
        [11, 1, "nan"],
        [12, 2, "1.7976931348623157e+308"],
      ],
      datasets: [["meld", "d1", { "mlflow.data.context": "test" }]],
      text: "hallo ü",
    });
  });

  it.runIf(major >= 3)("43 an unknown Host is refused with a hint", async () => {
    const { server } = given();
    // fetch does not let a caller set Host, so a fetch of our own does.
    const foreign = new MlflowClient({
      trackingUri: server.uri,
      env: {},
      fetch: fetchWithHost("mlflow.example.com"),
    });
    const error = await foreign.getExperiment("0").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ httpStatus: 403, retryable: false });
    expect(String(error)).toContain("--allowed-hosts");
  });

  it("44 killed and restarted in mid-stream: no point lost, none twice", async () => {
    const { server, client, newRun } = given();
    const id = await newRun();
    const batch = (start: number) =>
      Array.from({ length: 20 }, (_, i) => ({
        key: "m",
        value: start + i,
        step: start + i,
        timestamp: start + i,
      }));
    let restarted: Promise<void> | undefined;
    for (let start = 0; start < 800; start += 20) {
      if (start === 200) restarted = server.kill().then(() => server.restart());
      await client.logBatch(id, { metrics: batch(start) });
    }
    await restarted;
    const steps = [];
    for await (const { step } of client.getMetricHistory(id, "m")) steps.push(step);
    expect(steps).toEqual(Array.from({ length: 800 }, (_, step) => step));
  }, 150_000);
}

const READ_RUN = `
import json, sys
from mlflow import MlflowClient, artifacts
client = MlflowClient(sys.argv[1])
run = client.get_run(sys.argv[2])
history = sorted(client.get_metric_history(run.info.run_id, "val/f1"), key=lambda m: m.step)
print(json.dumps({
  "name": run.info.run_name,
  "status": run.info.status,
  "times": [run.info.start_time, run.info.end_time],
  "params": run.data.params,
  "note": run.data.tags["note"],
  "key": run.data.tags["exp.run_key"],
  "history": [[m.timestamp, m.step, str(m.value)] for m in history],
  "datasets": [[i.dataset.name, i.dataset.digest, {t.key: t.value for t in i.tags}] for i in run.inputs.dataset_inputs],
  "text": artifacts.load_text(run.info.artifact_uri + "/notes/a b.txt"),
}))
`;

function fetchWithHost(host: string): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        String(input),
        { method: init?.method ?? "GET", headers: { host } },
        async (incoming) => {
          const chunks: Buffer[] = [];
          for await (const chunk of incoming) chunks.push(chunk);
          resolve(new Response(Buffer.concat(chunks), { status: incoming.statusCode ?? 0 }));
        },
      );
      outgoing.once("error", reject);
      outgoing.end();
    });
}
