// A reverse proxy that misbehaves on purpose: 502 before or after the server has done the work, or no answer at all.

import { createServer, request } from "node:http";

/** `before` never reaches the server; `after` does, and its answer is lost; `hang` gets neither. */
export type Fault = "none" | "before" | "after" | "hang";

export interface FaultyProxy {
  readonly uri: string;
  /** How many requests met each fault. */
  readonly counts: Readonly<Record<Fault, number>>;
  close(): Promise<void>;
}

/**
 * @param onBytes told the bytes of request bodies passed on so far
 * @param fault chosen anew for each request, by its number from 0
 */
export async function startFaultyProxy(
  target: string,
  fault: (index: number, path: string) => Fault,
  onBytes: (total: number) => void = () => undefined,
): Promise<FaultyProxy> {
  const counts = { none: 0, before: 0, after: 0, hang: 0 };
  let index = 0;
  let bytes = 0;
  const server = createServer((incoming, outgoing) => {
    const kind = fault(index++, incoming.url ?? "");
    counts[kind]++;
    const refuse = () => {
      outgoing.writeHead(502, { "content-type": "text/html" });
      outgoing.end("<html><title>502 Bad Gateway</title></html>");
    };
    if (kind === "hang") return void incoming.resume();
    if (kind === "before") return void incoming.resume().once("end", refuse);
    const url = new URL(incoming.url ?? "/", target);
    const headers = { ...incoming.headers, host: url.host };
    const upstream = request(url, { method: incoming.method ?? "GET", headers }, (answer) => {
      if (kind === "after") return void answer.resume().once("end", refuse);
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.once("error", () => outgoing.destroy());
      answer.pipe(outgoing);
    });
    upstream.once("error", () => (outgoing.headersSent ? outgoing.destroy() : refuse()));
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      onBytes(bytes);
    });
    incoming.once("error", () => upstream.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    uri: `http://127.0.0.1:${port}`,
    counts,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
