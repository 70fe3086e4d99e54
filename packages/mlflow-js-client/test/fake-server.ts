// An in-process HTTP server that plays a script: each request takes the next reply, and is recorded.
// It closes when the test that started it has finished.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON, `{}` when empty. */
  json(): Record<string, unknown>;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: string | object;
  /** Close the connection: before answering, or half-way through the body. */
  readonly cut?: "before" | "within";
  readonly delayMs?: number;
  /** Send without Content-Length. */
  readonly chunked?: boolean;
}

export type Script = Reply | ((request: RecordedRequest, index: number) => Reply);

export interface FakeServer {
  readonly uri: string;
  readonly requests: readonly RecordedRequest[];
}

/** Replies in order, the last one for ever. */
export async function startFakeServer(...script: Script[]): Promise<FakeServer> {
  const requests: RecordedRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    readRequest(incoming).then((request) => {
      const index = requests.push(request) - 1;
      const step = script[Math.min(index, script.length - 1)] ?? {};
      send(outgoing, typeof step === "function" ? step(request, index) : step);
    }, outgoing.destroy.bind(outgoing));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { uri: `http://127.0.0.1:${port}`, requests };
}

async function readRequest(incoming: IncomingMessage): Promise<RecordedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const url = new URL(incoming.url ?? "/", "http://localhost");
  return {
    method: incoming.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body,
    json: () => (body.length === 0 ? {} : JSON.parse(body.toString("utf8"))),
  };
}

function send(
  outgoing: ServerResponse,
  { status = 200, headers = {}, body = {}, cut, delayMs = 0, chunked = false }: Reply,
): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/plain" : "application/json";
  setTimeout(() => {
    if (cut === "before") return void outgoing.destroy();
    outgoing.writeHead(status, {
      "content-type": type,
      ...(!chunked && { "content-length": Buffer.byteLength(text) }),
      ...headers,
    });
    if (cut === "within") return void outgoing.write(text.slice(0, 1), () => outgoing.destroy());
    outgoing.end(text);
  }, delayMs);
}
