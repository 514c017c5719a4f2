import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE] = [0, 1, 3, 4, 6, 7, 8];
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const MAX_WINDOW = 2 ** 31 - 1;

/**
 * The client's side of HTTP/2 as far as unary gRPC on loopback needs it: frames, no priorities, no decoding of
 * headers. Node's own client and grpc-js cost more for each call than a fast service does, so that a load made
 * with them measures them. What the calls came to is told by the service's metrics.
 */
export class H2Connection {
  readonly #socket: Socket;
  readonly #headers: HeaderBlocks;
  readonly #running = new Map<number, () => void>();
  #nextStream = 1;
  #out: Buffer[] = [];
  #in: Buffer = Buffer.alloc(0);
  #mayReceive = MAX_WINDOW;
  #maySend = 65_535;
  #held: (() => void)[] = [];

  private constructor(socket: Socket, path: string, headers: Readonly<Record<string, string>>) {
    this.#socket = socket;
    this.#headers = new HeaderBlocks(path, headers);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('close', () => {
      if (this.#running.size > 0) throw new Error('the connection was closed with calls in flight');
    });
  }

  static async open(
    url: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<H2Connection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const connection = new H2Connection(socket, path, { ':authority': host, ...headers });
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    // No pushes; as much as the service likes to send for each stream.
    socket.write(frame(SETTINGS, 0, 0, Buffer.from([0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])));
    socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - 65_535)));
    return connection;
  }

  /** Sends a call; `done` is called when its stream has ended. */
  call(message: Buffer, done: () => void): void {
    if (this.#maySend < message.length) {
      this.#held.push(() => this.call(message, done));
      return;
    }
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#maySend -= message.length;
    this.#running.set(id, done);
    this.#write(frame(HEADERS, END_HEADERS, id, this.#headers.next()));
    this.#write(frame(DATA, END_STREAM, id, message));
  }

  end(): void {
    this.#running.clear();
    this.#socket.destroy();
  }

  /** What one turn of the loop has to say goes out in one write. */
  #write(bytes: Buffer): void {
    if (this.#out.length === 0)
      setImmediate(() => {
        this.#socket.write(Buffer.concat(this.#out));
        this.#out = [];
      });
    this.#out.push(bytes);
  }

  #read(chunk: Buffer): void {
    this.#in = this.#in.length === 0 ? chunk : Buffer.concat([this.#in, chunk]);
    let at = 0;
    while (this.#in.length - at >= 9) {
      const length = this.#in.readUIntBE(at, 3);
      if (this.#in.length - at < 9 + length) break;
      const payload = this.#in.subarray(at + 9, at + 9 + length);
      this.#frame(this.#in[at + 3]!, this.#in[at + 4]!, this.#in.readUInt32BE(at + 5) & MAX_WINDOW, payload);
      at += 9 + length;
    }
    this.#in = this.#in.subarray(at);
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === DATA) this.#received(payload.length);
    if (type === GOAWAY) throw new Error(`the service went away: ${payload.subarray(8).toString()}`);
    if (type === RST_STREAM) throw new Error(`a call was reset with ${payload.readUInt32BE(0)}`);
    if (type === SETTINGS && (flags & ACK) === 0) this.#write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === PING && (flags & ACK) === 0) this.#write(frame(PING, ACK, 0, payload));
    if (type === WINDOW_UPDATE && stream === 0) {
      this.#maySend += payload.readUInt32BE(0);
      for (const send of this.#held.splice(0)) send();
    }
    if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
      const done = this.#running.get(stream);
      this.#running.delete(stream);
      done?.();
    }
  }

  #received(bytes: number): void {
    this.#mayReceive -= bytes;
    if (this.#mayReceive > MAX_WINDOW / 2) return;
    this.#write(frame(WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - this.#mayReceive)));
    this.#mayReceive = MAX_WINDOW;
  }
}

/** The headers of a call in HPACK: spelled out once, which puts them into the service's table, then by their index. */
class HeaderBlocks {
  readonly #spelled: Buffer;
  readonly #indexed: Buffer;
  #first = true;

  constructor(path: string, headers: Readonly<Record<string, string>>) {
    const all = Object.entries({
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    }).toSorted(([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')));
    const fixed = [0x83, 0x86];
    this.#spelled = Buffer.concat([
      Buffer.from(fixed),
      ...all.flatMap(([name, value]) => [Buffer.from([0x40]), text(name), text(value)]),
    ]);
    // The newest entry of the table is 62.
    this.#indexed = Buffer.from([...fixed, ...all.map((_, index) => 0x80 | (61 + all.length - index))]);
  }

  next(): Buffer {
    const block = this.#first ? this.#spelled : this.#indexed;
    this.#first = false;
    return block;
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string of HPACK, plain; a length of 127 and more goes on in further bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
