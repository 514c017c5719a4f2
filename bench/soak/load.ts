import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Author, type SentWrite } from '../../test/process/history.ts';
import type { Fleet } from './fleet.ts';
import { Ledger } from './ledger.ts';
import { PROTOCOLS, type Said, Session } from './session.ts';

/** Writes of one author until the next chapter begins, in sequences of its own: so no sequence grows for ever. */
const WRITES_A_CHAPTER = 150;
const TYPES = ['ELEMENT_TYPE_SECTION', 'ELEMENT_TYPE_SCRIPT', 'ELEMENT_TYPE_SPOKEN_WORD'] as const;
/** What may be answered in this weather; anything else is a defect. */
const EXCUSED = new Set([
  'DRAINING',
  'DATABASE_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  // Of connections that broke.
  'Unavailable',
  'Aborted',
  'Canceled',
  'DeadlineExceeded',
  'Internal',
  'Unknown',
]);

/** Who writes, and how fast all of them together. */
export interface LoadOptions {
  readonly authors: number;
  readonly writesPerSecond: number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Authors who write mixed things, each over clients that come and go, until they are told to stop. */
export class Load {
  readonly ledgers: Ledger[] = [];
  /** Answers that were no success, by reason. */
  readonly refused = new Map<string, number>();
  answered = 0;
  repeated = 0;
  sessions = 0;
  readonly #fleet: Fleet;
  readonly #options: LoadOptions;
  #stopped = false;

  constructor(fleet: Fleet, options: LoadOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  /** Resolves when every author has stopped, each with all that it sent answered. */
  async run(): Promise<void> {
    const { authors } = this.#options;
    await Promise.all(Array.from({ length: authors }, (_, index) => this.#author(index)));
    for (const ledger of this.ledgers) ledger.close();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #author(index: number): Promise<void> {
    const { random, authors, writesPerSecond } = this.#options;
    const pauseMs = (1000 * authors) / writesPerSecond;
    const client = new Client(this.#fleet, index, random, () => {
      this.sessions += 1;
    });
    for (let chapter = 0; !this.#stopped; chapter++) {
      const ledger = this.#ledger(chapter, index);
      const author = new Author(ledger.sequence, 1 + index * 1_000_000);
      for (let turn = 0; turn < WRITES_A_CHAPTER && !this.#stopped; turn++) {
        const write = author.next();
        await this.#settle(client, write);
        ledger.add(write);
        this.answered += 1;
        if (random() < 0.05) await this.#repeat(client, write);
        await sleep(random() * 2 * pauseMs);
      }
    }
    client.close();
  }

  #ledger(chapter: number, index: number): Ledger {
    const place = chapter * TYPES.length + (index % TYPES.length);
    for (let next = this.ledgers.length; next <= place; next++) {
      const elementType = TYPES[next % TYPES.length]!;
      this.ledgers.push(new Ledger({ scope: `soak-${Math.floor(next / TYPES.length)}`, elementType }));
    }
    return this.ledgers[place]!;
  }

  /** Sends a write, under the same request id, until it is answered; now and then twice at once. */
  async #settle(client: Client, write: SentWrite): Promise<void> {
    for (;;) {
      const twice = this.#options.random() < 0.05;
      const said = await Promise.all([client.call(write), ...(twice ? [client.callElsewhere(write)] : [])]);
      const bodies = said.flatMap((one) => ('body' in one ? [one.body] : []));
      for (const one of said) if ('refused' in one) this.#excuse(one.refused, write);
      const [body] = bodies;
      if (body !== undefined) {
        for (const other of bodies) assert.deepEqual(other, body, 'two answers to one request id');
        write.answer = { status: 200, body };
        return;
      }
      await sleep(20 + this.#options.random() * 200);
    }
  }

  /** A request that was answered long ago gets the same answer, and changes nothing. */
  async #repeat(client: Client, write: SentWrite): Promise<void> {
    const again = await client.call(write);
    if ('refused' in again) this.#excuse(again.refused, write);
    else {
      assert.deepEqual(again.body, write.answer?.body, 'the answer to a repeated request');
      this.repeated += 1;
    }
  }

  #excuse(reason: string, write: SentWrite): void {
    assert.ok(EXCUSED.has(reason), `${reason} in answer to ${write.method} ${JSON.stringify(write.body)}`);
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }
}

/** A caller whose connections last for a while, and sometimes end in the middle of a call. */
class Client {
  readonly #fleet: Fleet;
  readonly #random: () => number;
  readonly #onOpen: () => void;
  #turn: number;
  #session: Session | undefined;
  #left = 0;

  constructor(fleet: Fleet, index: number, random: () => number, onOpen: () => void) {
    this.#fleet = fleet;
    this.#turn = index;
    this.#random = random;
    this.#onOpen = onOpen;
  }

  async call({ method, body }: SentWrite): Promise<Said> {
    if (this.#left <= 0) this.close();
    this.#left -= 1;
    if (this.#session === undefined) {
      this.#turn += 1;
      this.#left = 10 + Math.floor(this.#random() * 100);
      this.#session = new Session(
        await this.#fleet.url(this.#turn),
        PROTOCOLS[this.#turn % PROTOCOLS.length]!,
      );
      this.#onOpen();
    }
    const session = this.#session;
    const abandoned = this.#random() < 0.002;
    const cut = abandoned ? setTimeout(() => session.close(), this.#random() * 5) : undefined;
    const said = await session.call(method, body);
    clearTimeout(cut);
    // Whatever was wrong with it: the next call tries another replica.
    if (abandoned || 'refused' in said) this.close();
    return said;
  }

  /** The same over a connection of its own, to another replica where there is one. */
  async callElsewhere({ method, body }: SentWrite): Promise<Said> {
    const session = new Session(await this.#fleet.url(this.#turn + 1), 'connect');
    const said = await session.call(method, body);
    session.close();
    return said;
  }

  close(): void {
    this.#session?.close();
    this.#session = undefined;
    this.#left = 0;
  }
}
