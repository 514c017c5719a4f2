import http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Case, isSoundOnHttp1, type Shot } from './cases.ts';

/** What came back for one request, in a form that two servers can be compared in. */
export interface Reply {
  /** 0: nothing came. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** How it ended: `end`, `closed` (the connection), or a code of HTTP/2. */
  readonly ended: string;
}

const NOTHING: Reply = { status: 0, headers: {}, body: '', trailers: {}, ended: 'closed' };
/** How long an answer may take before it counts as none. */
const PATIENCE_MS = 5_000;
/** For the answers before an unended request to be there. */
const UNENDED_MS = 250;
/** For what has been sent to arrive before its sender goes. */
const ARRIVAL_MS = 3;

/** A client of one server: keeps a connection of each protocol for as long as the server lets it. */
export class Sender {
  readonly #port: number;
  #h1: RawConnection | undefined;
  #h2: http2.ClientHttp2Session | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  async send(one: Case): Promise<Reply[]> {
    return one.http === 1 ? await this.#overHttp1(one) : await this.#overHttp2(one);
  }

  close(): void {
    this.#h1?.socket.destroy();
    this.#h2?.destroy();
  }

  async #overHttp1(one: Case): Promise<Reply[]> {
    const leaves = one.shots[0]!.leaves;
    const isSound = one.shots.every(isSoundOnHttp1) && leaves === 'never' && !one.oldVersion;
    if (!isSound || this.#h1?.closed !== false) {
      this.#h1?.socket.destroy();
      this.#h1 = await RawConnection.open(this.#port);
    }
    const connection = this.#h1!;
    for (const shot of one.shots)
      for (const part of partsOf(shot, one.oldVersion)) {
        connection.socket.write(part);
        if (shot.cuts.length > 0) await sleep(1);
      }
    if (leaves !== 'never') {
      await sleep(ARRIVAL_MS);
      connection.socket.destroy();
      this.#h1 = undefined;
      return [];
    }
    const verbs = one.shots.map(({ verb }) => verb);
    const replies = await connection.replies(
      verbs,
      one.shots.some(({ lengthLie }) => lengthLie > 0),
    );
    if (!isSound) {
      connection.socket.destroy();
      this.#h1 = undefined;
    }
    return replies;
  }

  async #overHttp2(one: Case): Promise<Reply[]> {
    if (this.#h2 === undefined || this.#h2.closed || this.#h2.destroyed)
      this.#h2 = await openHttp2(this.#port);
    const session = this.#h2;
    return await Promise.all(one.shots.map((shot) => exchangeHttp2(session, shot)));
  }
}

function pieces({ body, cuts, leaves }: Shot): Buffer[] {
  const at = [0, ...cuts.map((cut) => Math.floor(cut * body.length)), body.length];
  const parts = at.slice(1).map((end, i) => body.subarray(at[i], end));
  return leaves === 'half-way' ? [parts[0]!.subarray(0, Math.max(0, body.length - 1))] : parts;
}

function partsOf(shot: Shot, oldVersion: boolean): Buffer[] {
  const lines = [`${shot.verb} ${shot.path} HTTP/1.${oldVersion ? 0 : 1}`];
  if (!shot.headers.some(([name]) => name === 'host')) lines.push('host: sequence.test');
  for (const [name, value] of shot.headers) lines.push(`${name}: ${value}`);
  if (shot.withoutLength) lines.push('transfer-encoding: chunked');
  else lines.push(`content-length: ${shot.body.length + shot.lengthLie}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const bodies = pieces(shot).filter(({ length }) => length > 0);
  if (!shot.withoutLength)
    return shot.cuts.length > 0 ? [head, ...bodies] : [Buffer.concat([head, ...bodies])];
  const chunks = bodies.map((body) =>
    Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]),
  );
  const last = shot.leaves === 'half-way' ? [] : [Buffer.from('0\r\nx-trailer: 1\r\n\r\n')];
  return [head, ...chunks, ...last];
}

/** HTTP/1.1 by hand, since no client sends what is to be sent. */
class RawConnection {
  readonly socket: Socket;
  closed = false;
  #received = Buffer.alloc(0);
  #wake = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const close = () => {
      this.closed = true;
      this.#wake();
    };
    socket.on('error', close);
    socket.on('end', close);
    socket.on('close', close);
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  /**
   * Reads one answer for each request, or fewer where the connection ends.
   *
   * @param unended whether the last request says that there is more of it: the server waits, until it is told that
   *   nothing comes
   */
  async replies(verbs: readonly string[], unended: boolean): Promise<Reply[]> {
    const replies: Reply[] = [];
    if (unended) setTimeout(() => this.socket.end(), UNENDED_MS);
    const giveUp = performance.now() + PATIENCE_MS;
    while (replies.length < verbs.length) {
      const reply = this.#take(verbs[replies.length]!);
      if (reply !== undefined) {
        if (reply.status >= 200) replies.push(reply);
        continue;
      }
      if (this.closed) {
        replies.push(NOTHING);
        break;
      }
      if (performance.now() > giveUp) {
        replies.push({ ...NOTHING, ended: 'no answer' });
        break;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return replies;
  }

  #take(verb: string): Reply | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const head = this.#received.toString('latin1', 0, end);
    const status = Number(head.split(' ', 2)[1]);
    const headers = fieldsOf(head.slice(head.indexOf('\r\n') + 2));
    const start = end + 4;
    const bare = status < 200 || status === 204 || status === 304 || verb === 'HEAD';
    const parsed: Parsed | undefined = bare
      ? { body: Buffer.alloc(0), end: start }
      : headers['transfer-encoding'] === 'chunked'
        ? this.#chunks(start)
        : this.#counted(start, headers['content-length']);
    if (parsed === undefined) return undefined;
    this.#received = this.#received.subarray(parsed.end);
    return { status, headers, body: text(parsed.body), trailers: parsed.trailers ?? {}, ended: 'end' };
  }

  #counted(start: number, length: string | undefined): Parsed | undefined {
    if (length === undefined && !this.closed) return undefined;
    const end = length === undefined ? this.#received.length : start + Number(length);
    return end > this.#received.length ? undefined : { body: this.#received.subarray(start, end), end };
  }

  #chunks(start: number): Parsed | undefined {
    const chunks: Buffer[] = [];
    for (let at = start; ; ) {
      const line = this.#received.indexOf('\r\n', at);
      if (line === -1) return undefined;
      const length = Number.parseInt(this.#received.toString('latin1', at, line), 16);
      if (length === 0) {
        const end = this.#received.indexOf('\r\n\r\n', line);
        if (end === -1) return undefined;
        const trailers = fieldsOf(this.#received.toString('latin1', line + 2, Math.max(end, line + 2)));
        return { body: Buffer.concat(chunks), end: end + 4, trailers };
      }
      const end = line + 2 + length + 2;
      if (end > this.#received.length) return undefined;
      chunks.push(this.#received.subarray(line + 2, end - 2));
      at = end;
    }
  }
}

interface Parsed {
  readonly body: Buffer;
  /** Where it ends in what was received. */
  readonly end: number;
  readonly trailers?: Record<string, string>;
}

function fieldsOf(lines: string): Record<string, string> {
  const fields = lines.split('\r\n').filter((line) => line !== '');
  return record(fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

async function openHttp2(port: number): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  await new Promise((resolve) => session.once('connect', resolve).once('close', resolve));
  return session;
}

async function exchangeHttp2(session: http2.ClientHttp2Session, shot: Shot): Promise<Reply> {
  const headers: http2.OutgoingHttpHeaders = {
    ':method': shot.verb,
    ':path': shot.path,
    ':authority': 'sequence.test',
  };
  // What HTTP/2 forbids, Node's client does not send.
  for (const [name, value] of shot.headers) {
    if (['connection', 'host'].includes(name) || (name === 'te' && value !== 'trailers')) continue;
    const before = headers[name];
    headers[name] = before === undefined || isSingle(name) ? value : [before as string, value].flat();
  }
  if (!shot.withoutLength && shot.lengthLie !== 0)
    headers['content-length'] = String(shot.body.length + shot.lengthLie);
  let stream: http2.ClientHttp2Stream;
  try {
    stream = session.request(headers, { endStream: shot.body.length === 0 && shot.cuts.length === 0 });
  } catch (error) {
    return {
      ...NOTHING,
      ended: `not sent: ${error instanceof Error && 'code' in error ? error.code : error}`,
    };
  }
  const reply = read(stream);
  stream.on('error', () => {});
  for (const part of pieces(shot)) {
    if (stream.destroyed || stream.writableEnded) break;
    stream.write(part);
    if (shot.cuts.length > 0) await sleep(1);
  }
  if (shot.leaves === 'after') stream.end();
  if (shot.leaves !== 'never') {
    await sleep(ARRIVAL_MS);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await reply;
    return NOTHING;
  }
  if (!stream.destroyed) stream.end();
  return await reply;
}

function isSingle(name: string): boolean {
  return [
    'content-type',
    'content-length',
    'authorization',
    'x-request-id',
    'origin',
    'expect',
    'te',
  ].includes(name);
}

async function read(stream: http2.ClientHttp2Stream): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const chunks: Buffer[] = [];
  let fields: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  let ended = false;
  const patience = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), PATIENCE_MS);
  stream.on('response', (got) => {
    fields = got;
  });
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    ended = true;
    // An answer may come before all of the request has gone; the rest is not wanted.
    if (!stream.writableFinished) stream.close(http2.constants.NGHTTP2_NO_ERROR);
  });
  stream.on('close', () => {
    clearTimeout(patience);
    const { ':status': status, ...headers } = fields;
    resolve({
      status: Number(status ?? 0),
      headers: record(Object.entries(headers)),
      body: text(Buffer.concat(chunks)),
      trailers: record(Object.entries(trailers)),
      ended: ended && status !== undefined ? 'end' : String(stream.rstCode),
    });
  });
  return await promise;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

/** Without times and random ids, in the order of names. */
function record(entries: (readonly [string, unknown])[]): Record<string, string> {
  const cleaned = entries
    .map(([name, value]) => [name.toLowerCase(), String(value).trim().replaceAll(UUID, '<uuid>')] as const)
    .filter(([name]) => name !== 'date');
  return Object.fromEntries(cleaned.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Bytes as text in which each byte can be told. */
function text(body: Buffer): string {
  return body.toString('latin1').replaceAll(UUID, '<uuid>');
}
