// A small MLflow in memory for tests of tracking: keeps what it gets under the server's rules (a repeated point is
// dropped, params are write-once) and fails on demand. Stopping and starting keeps its port and what it holds.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface StoredRun {
  readonly runId: string;
  readonly name: string;
  readonly startTime: number;
  status: string;
  endTime: number | undefined;
  lifecycle: string;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  /** Identified like the server does it, by key, step, time and value. */
  readonly points: Map<string, StoredPoint>;
  readonly inputs: Map<string, unknown>;
  readonly artifacts: Map<string, string>;
}

export interface StoredPoint {
  readonly key: string;
  readonly value: number | string;
  readonly timestamp: number;
  readonly step: number;
}

/** What happens to a request: `lost` is carried out without an answer, `half` keeps half a batch before that. */
export type Fault = "refuse" | "lost" | "half" | { readonly status: number; readonly body?: string };

export interface TrackingServer {
  readonly uri: string;
  readonly runs: readonly StoredRun[];
  /** Paths of all requests. */
  readonly requests: string[];
  /** Asked for each metric, param and tag of a batch; what it answers is why the batch is refused. */
  refusal: (entry: Readonly<Record<string, unknown>>) => string | undefined;
  /** Asked for each request. */
  fault: (path: string) => Fault | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
}

type Body = Record<string, unknown>;

export async function startTrackingServer(): Promise<TrackingServer> {
  const runs: StoredRun[] = [];
  const experiments: string[] = [];
  const requests: string[] = [];
  let server: Server | undefined;
  let port = 0;

  function answer(path: string, query: URLSearchParams, body: Body, raw: string, half: boolean): [number, Body] {
    const run = runs.find(({ runId }) => runId === (body.run_id ?? query.get("run_id")));
    const artifact = /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/([^/]+)\/(.+)$/.exec(path);
    if (artifact !== null) {
      runs.find(({ runId }) => runId === artifact[1])?.artifacts.set(artifact[2] ?? "", raw);
      return [200, {}];
    }
    const endpoint = path.replace("/api/2.0/mlflow", "");
    if (endpoint.startsWith("/experiments/")) {
      const byId = experiments[Number(query.get("experiment_id")) - 1];
      const name = String(body.name ?? query.get("experiment_name") ?? byId);
      if (endpoint === "/experiments/create") {
        experiments.push(name);
      }
      const id = String(experiments.indexOf(name) + 1);
      return id === "0"
        ? [404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "none" }]
        : [200, { experiment_id: id, experiment: { experiment_id: id, name, lifecycle_stage: "active" } }];
    }
    if (endpoint === "/runs/search") {
      const [, key = "", value] = /^tags\.`(.+)` = '(.+)'$/.exec(String(body.filter)) ?? [];
      return [200, { runs: runs.filter(({ tags }) => tags.get(key) === value).map(wireRun) }];
    }
    if (endpoint === "/runs/create") {
      const created: StoredRun = {
        runId: `run${runs.length}`,
        name: String(body.run_name),
        startTime: Number(body.start_time),
        status: "RUNNING",
        endTime: undefined,
        lifecycle: "active",
        tags: new Map(),
        params: new Map(),
        points: new Map(),
        inputs: new Map(),
        artifacts: new Map(),
      };
      runs.push(created);
      addTags(created, body.tags);
      return [200, { run: wireRun(created) }];
    }
    if (run === undefined) {
      return [404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: `no run for ${path}` }];
    }
    switch (endpoint) {
      case "/runs/get":
        return [200, { run: wireRun(run) }];
      case "/runs/update":
        run.status = String(body.status ?? run.status);
        run.endTime = body.end_time === undefined ? run.endTime : Number(body.end_time);
        return [200, { run_info: wireRun(run).info }];
      case "/runs/set-tag":
        addTags(run, [body]);
        return [200, {}];
      case "/runs/delete-tag":
        run.tags.delete(String(body.key));
        return [200, {}];
      case "/runs/log-inputs":
        for (const input of body.datasets as Body[]) {
          const { name, digest } = input.dataset as Body;
          run.inputs.set(`${name} ${digest}`, input);
        }
        return [200, {}];
      case "/metrics/get-history": {
        const metrics = [...run.points.values()].filter(({ key }) => key === query.get("metric_key"));
        return [200, { metrics }];
      }
      case "/runs/delete":
        run.lifecycle = "deleted";
        return [200, {}];
      case "/runs/log-batch":
        return refuseBatch(body, self.refusal) ?? logBatch(run, body, half);
      default:
        return [404, { error_code: "ENDPOINT_NOT_FOUND", message: path }];
    }
  }

  const self: TrackingServer = {
    get uri() {
      return `http://127.0.0.1:${port}`;
    },
    runs,
    requests,
    refusal: () => undefined,
    fault: () => undefined,
    async start() {
      server = createServer(async (incoming, outgoing) => {
        const raw = await readAll(incoming);
        const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://localhost");
        requests.push(pathname);
        const fault = self.fault(pathname);
        if (typeof fault === "object") {
          outgoing.writeHead(fault.status, { "content-type": "text/html" }).end(fault.body ?? "<h1>no</h1>");
        } else if (fault === "refuse") {
          outgoing.destroy();
        } else {
          const json = incoming.headers["content-type"]?.startsWith("application/json") && incoming.method === "POST";
          const body = json ? (JSON.parse(raw) as Body) : {};
          const [status, reply] = answer(decodeURIComponent(pathname), searchParams, body, raw, fault === "half");
          if (fault === undefined) {
            outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(reply));
          } else {
            outgoing.destroy();
          }
        }
      });
      await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
      port = (server.address() as AddressInfo).port;
    },
    async stop() {
      const stopping = server;
      server = undefined;
      stopping?.closeAllConnections();
      await new Promise<void>((resolve) => (stopping === undefined ? resolve() : stopping.close(() => resolve())));
    },
  };
  await self.start();
  return self;
}

function refuseBatch(body: Body, refusal: TrackingServer["refusal"]): [number, Body] | undefined {
  const entries = [body.metrics, body.params, body.tags].flatMap((each) => (each ?? []) as Record<string, unknown>[]);
  const message = entries.map(refusal).find((each) => each !== undefined);
  return message === undefined ? undefined : [400, { error_code: "INVALID_PARAMETER_VALUE", message }];
}

function logBatch(run: StoredRun, body: Body, half: boolean): [number, Body] {
  for (const { key, value } of body.params as { key: string; value: string }[]) {
    if ((run.params.get(key) ?? value) !== value) {
      return [400, { error_code: "INVALID_PARAMETER_VALUE", message: `param ${key} was logged before` }];
    }
    run.params.set(key, value);
  }
  addTags(run, body.tags);
  const metrics = body.metrics as StoredPoint[];
  for (const metric of metrics.slice(0, half ? Math.ceil(metrics.length / 2) : metrics.length)) {
    const { key, step, timestamp, value } = metric;
    run.points.set(JSON.stringify([key, step, timestamp, value]), { key, step, timestamp, value });
  }
  return [200, {}];
}

function addTags(run: StoredRun, tags: unknown): void {
  for (const { key, value } of tags as { key: string; value: string }[]) {
    run.tags.set(key, value);
  }
}

function wireRun(run: StoredRun) {
  const latest = new Map<string, StoredPoint>();
  for (const point of run.points.values()) {
    if (point.step >= (latest.get(point.key)?.step ?? Number.NEGATIVE_INFINITY)) {
      latest.set(point.key, point);
    }
  }
  const pairs = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
  return {
    info: {
      run_id: run.runId,
      run_name: run.name,
      experiment_id: "1",
      status: run.status,
      start_time: run.startTime,
      artifact_uri: `mlflow-artifacts:/${run.runId}`,
      lifecycle_stage: run.lifecycle,
    },
    data: { metrics: [...latest.values()], params: pairs(run.params), tags: pairs(run.tags) },
  };
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
