import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

// Sends Generates as Connect JSON over bare sockets, one at a time on each connection. Open loop: a call is due when
// the clock says so, however the last ones fare; one that finds every connection busy is counted and not sent.
// Without a rate it is a closed loop: each connection sends again when it has its answer.

/** What a sender is told. */
export interface SenderOptions {
  readonly port: number;
  readonly connections: number;
  /** Calls a second; undefined: as many as the answers allow. */
  readonly rate?: number;
  readonly seconds: number;
  readonly deadlineMs: number;
  /** The sequences `s${first}` and so many after it. */
  readonly firstSequence: number;
  readonly sequences: number;
  /** The first id; no two senders on one database may overlap. */
  readonly firstId: number;
  /** The file for `sequence id number` of every acknowledged write. */
  readonly acknowledged: string;
}

/** What a sender saw; times are from the first byte sent to the last one received, milliseconds. */
export interface SenderResult {
  readonly seconds: number;
  readonly due: number;
  readonly sent: number;
  readonly accepted: number[];
  readonly refused: number[];
  /** Every other answer by its code, and `lost` for a connection that closed under a call. */
  readonly others: Record<string, number>;
}

const options = JSON.parse(process.argv[2]!) as SenderOptions;
const accepted: number[] = [];
const refused: number[] = [];
const others: Record<string, number> = {};
const acknowledged: string[] = [];
let next = options.firstId;
let sent = 0;
let running = true;

/** A connection, and the call that it carries. */
class Line {
  readonly #free: (line: Line) => void;
  #socket: Socket | undefined;
  #received = '';
  #call: { id: number; sequence: number; startedMs: number } | undefined;

  constructor(free: (line: Line) => void) {
    this.#free = free;
  }

  open(): void {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('connect', () => this.#free(this));
    socket.on('data', (text) => this.#read(String(text)));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#call !== undefined) count('lost');
      this.#call = undefined;
      this.#received = '';
      if (running) setTimeout(() => running && this.open(), 50);
    });
  }

  send(): void {
    const id = next++;
    const sequence = options.firstSequence + (id % options.sequences);
    const body = `{"scope":"s${sequence}","elementType":"ELEMENT_TYPE_SCRIPT","elementId":"${id}"}`;
    this.#call = { id, sequence, startedMs: performance.now() };
    sent += 1;
    this.#socket!.write(
      `POST /fountain.sequence.v1.SequenceService/Generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnect-Timeout-Ms: ${options.deadlineMs}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#call = undefined;
    this.#socket?.destroy();
  }

  #read(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head === -1 || this.#call === undefined) return;
    const length = /content-length: (\d+)/i.exec(this.#received.slice(0, head))?.[1];
    const whole =
      length === undefined
        ? this.#received.endsWith('0\r\n\r\n')
        : this.#received.length >= head + 4 + Number(length);
    if (!whole) return;
    this.#settle(this.#call, this.#received);
    this.#received = '';
    this.#call = undefined;
    this.#free(this);
  }

  #settle(
    { id, sequence, startedMs }: { id: number; sequence: number; startedMs: number },
    text: string,
  ): void {
    const tookMs = performance.now() - startedMs;
    if (text.startsWith('HTTP/1.1 200')) {
      accepted.push(tookMs);
      acknowledged.push(`${sequence} ${id} ${/"sequenceNumber":(\d+)/.exec(text)?.[1]}`);
    } else if (text.includes('"code":"resource_exhausted"')) refused.push(tookMs);
    else count(/"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(9, 12));
  }
}

function count(what: string): void {
  others[what] = (others[what] ?? 0) + 1;
}

const idle: Line[] = [];
const closedLoop = options.rate === undefined;
const lines = Array.from(
  { length: options.connections },
  () => new Line((line) => (closedLoop && running ? line.send() : idle.push(line))),
);
const started = performance.now();
for (const line of lines) line.open();
let due = 0;
while (performance.now() - started < options.seconds * 1000) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  const dueNow = Math.floor(((options.rate ?? 0) * (performance.now() - started)) / 1000);
  for (; due < dueNow; due++) idle.shift()?.send();
}
running = false;
const seconds = (performance.now() - started) / 1000;
// What is under way is still an acknowledged write when its answer comes.
await new Promise((resolve) => setTimeout(resolve, options.deadlineMs));
for (const line of lines) line.close();
writeFileSync(options.acknowledged, acknowledged.join('\n'));
process.stdout.write(
  JSON.stringify({
    seconds,
    due: closedLoop ? sent : due,
    sent,
    accepted,
    refused,
    others,
  } satisfies SenderResult),
);
