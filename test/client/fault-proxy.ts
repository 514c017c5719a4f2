import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What the proxy does with a connection. */
export type Fault =
  /** Passes everything on. */
  | 'pass'
  /** Resets the connection before a byte of it reaches the service. */
  | 'reset'
  /** Passes the request on and resets the connection when the answer begins: the service has done its work. */
  | 'lose-answer'
  /** As `lose-answer`, but ends the connection in good order. */
  | 'end-before-answer'
  /** Takes everything and never answers. */
  | 'hang'
  /** Answers as a load balancer without a healthy backend does, HTTP/1.1 only. */
  | '503';

/** A TCP proxy in front of the service that breaks connections as told. */
export interface FaultProxy {
  readonly url: string;
  /** How many connections it has taken. */
  readonly connections: number;
  /** What the next connections meet, in order; after the last one they pass. */
  plan(...faults: Fault[]): void;
  /** Stops listening and ends what runs: connections are refused from now on. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
}

const SERVICE_UNAVAILABLE =
  'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';

/** Starts a proxy in front of a port of this machine; it ends when the test has finished. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const planned: Fault[] = [];
  let connections = 0;

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  };

  const server = createServer((client) => {
    connections++;
    keep(client);
    const fault = planned.shift() ?? 'pass';
    if (fault === 'reset') return client.resetAndDestroy();
    if (fault === 'hang') return client.resume();
    if (fault === '503') return client.once('data', () => client.end(SERVICE_UNAVAILABLE));
    const service = connect(targetPort, '127.0.0.1').setNoDelay();
    keep(service);
    client.setNoDelay().pipe(service);
    service.on('close', () => client.destroy());
    client.on('close', () => service.destroy());
    if (fault === 'pass') return service.pipe(client);
    const answerBegins = answerDetector();
    service.on('data', (chunk) => {
      if (!answerBegins(chunk)) return client.write(chunk);
      if (fault === 'end-before-answer') return client.end();
      return client.resetAndDestroy();
    });
  });

  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<unknown>((resolve) => server.close(resolve));
  };
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  const port = await listen(0);
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    plan: (...faults) => void planned.push(...faults),
    refuse: close,
    accept: async () => void (await listen(port)),
  };
}

const FRAME_HEADER_BYTES = 9;
const HEADERS_FRAME = 1;

/** Tells the chunk with which an answer begins: any byte of HTTP/1.1, the first HEADERS frame of HTTP/2. */
function answerDetector(): (chunk: Buffer) => boolean {
  let pending = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    if (pending.subarray(0, 4).toString('latin1') === 'HTTP') return true;
    while (pending.length >= FRAME_HEADER_BYTES) {
      if (pending[3] === HEADERS_FRAME) return true;
      pending = pending.subarray(FRAME_HEADER_BYTES + pending.readUIntBE(0, 3));
    }
    return false;
  };
}
