import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger } from '../../../bench/soak/ledger.ts';
import { Author, type SentWrite, type SequenceName } from '../../process/history.ts';
import type { Answer } from '../../support/caller.ts';
import { all } from '../../sync/index-truth.ts';
import type { Replica, Replicas } from './replicas.ts';

/** The first is the hot one. */
const SEQUENCES: readonly SequenceName[] = [
  { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' },
  { scope: 'play', elementType: 'ELEMENT_TYPE_SPOKEN_WORD' },
  { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' },
  { scope: 'book', elementType: 'ELEMENT_TYPE_SECTION' },
  { scope: 'book', elementType: 'ELEMENT_TYPE_SCRIPT' },
];
const AUTHORS = 18;
/** Of those, how many write to the hot sequence. */
const HOT_AUTHORS = 10;
/** Callers who do not repeat what failed, since they have no request ids. */
const PLAIN_CALLERS = 6;
/** What a caller pauses between two writes, on the average. */
const PAUSE_MS = 25;

/** What may be said to a caller in bad weather. */
const ALLOWED = new Set(['unavailable', 'aborted', 'resource_exhausted', 'deadline_exceeded']);

/** Said to a caller where a connection broke; the replica was killed then. */
const BROKEN = 'broken connection';

/**
 * Mixed writes to five sequences through all replicas, until it is told to stop. Most come with a request id and are
 * repeated at another replica until they are answered; some have none, and are not. A refusal with a code that bad
 * weather does not excuse, and an answer that contradicts another, ends it.
 */
export class Load {
  readonly ledgers = SEQUENCES.map((sequence) => new Ledger(sequence));
  /** Answers that were no success, by code and reason. */
  readonly refused = new Map<string, number>();
  answered = 0;
  repeated = 0;
  readonly #replicas: Replicas;
  readonly #mayBreak: boolean;
  readonly #lost: SentWrite[] = [];
  readonly #notWritten: SentWrite[] = [];
  readonly #acknowledged = new Map<Replica, number>();
  #stopped = false;

  /** @param options whether connections to replicas may break */
  constructor(replicas: Replicas, options: { mayBreak: boolean }) {
    this.#replicas = replicas;
    this.#mayBreak = options.mayBreak;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Whether each replica that is up has acknowledged a write that was sent after this time (`performance.now()`). */
  servedSince(time: number): boolean {
    return this.#replicas.up.every((replica) => (this.#acknowledged.get(replica) ?? 0) > time);
  }

  /** Resolves when all have stopped, each with all answered that it wants to have answered. */
  async run(): Promise<void> {
    const authors = Array.from({ length: AUTHORS }, (_, index) => this.#author(index));
    const plain = Array.from({ length: PLAIN_CALLERS }, (_, index) => this.#plain(AUTHORS + index));
    const all = [...authors, ...plain, this.#reader()];
    // One that fails ends the others.
    for (const each of all) each.catch(() => this.stop());
    await Promise.allSettled(all);
    await Promise.all(all);
  }

  /**
   * Settles what came without a request id: what was acknowledged is there once, what was refused is not, and of what
   * was left open the database tells. Then no revision is missing.
   */
  async settle(place: string): Promise<void> {
    const rows = await all<{ comment: string; revision: number }>(
      place,
      `SELECT comment, revision FROM change WHERE kind = 'generate' AND request_id IS NULL`,
    );
    const revisions = new Map(rows.map(({ comment, revision }) => [comment, revision]));
    assert.equal(revisions.size, rows.length, 'a write without a request id was done twice');
    for (const { body } of this.#notWritten)
      assert.ok(!revisions.has(body.comment!), `${body.comment} was refused, and yet written`);
    for (const write of this.#lost) {
      const revision = revisions.get(write.body.comment!);
      if (revision === undefined) continue;
      write.answer = { status: 200, body: { revision } };
      write.learnt = true;
      this.#ledgerOf(write).add(write);
    }
    for (const ledger of this.ledgers) ledger.close();
  }

  async #author(index: number): Promise<void> {
    const author = new Author(SEQUENCES[placeOf(index)]!, 1 + index * 1_000_000);
    for (let turn = index; !this.#stopped; turn++) {
      const write = author.next();
      await this.#untilAnswered(write, turn);
      this.#ledgerOf(write).add(write);
      this.answered += 1;
      if (Math.random() < 0.05) await this.#repeat(write, turn + 1);
      await sleep(Math.random() * 2 * PAUSE_MS);
    }
  }

  /** Sends a write, each time to another replica, until it is answered; now and then to two at once. */
  async #untilAnswered(write: SentWrite, turn: number): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const turns = Math.random() < 0.05 ? [turn + attempt, turn + attempt + 1] : [turn + attempt];
      const said = await Promise.all(turns.map((one) => this.#send(write, one)));
      const [first, ...others] = said.filter((one) => one !== undefined);
      for (const other of others) assert.deepEqual(other, first, 'two answers to one request id');
      if (first !== undefined) {
        write.answer = first;
        return;
      }
      await sleep(20 + Math.random() * 100);
    }
  }

  async #repeat(write: SentWrite, turn: number): Promise<void> {
    const again = await this.#send(write, turn);
    if (again === undefined) return;
    assert.deepEqual(again, write.answer, 'the answer to a repeated request');
    this.repeated += 1;
  }

  /** Puts elements at the end, each once. */
  async #plain(index: number): Promise<void> {
    const sequence = SEQUENCES[index % 2]!;
    for (let turn = 0; !this.#stopped; turn++) {
      const comment = `${index}/${turn}`;
      const body = { ...sequence, elementId: 1 + index * 1_000_000 + turn, comment };
      const write: SentWrite = { sequence, method: 'Generate', body };
      const kept = { refusal: '' };
      const answer = await this.#send(write, index + turn, kept);
      if (answer !== undefined) {
        write.answer = answer;
        this.#ledgerOf(write).add(write);
        this.answered += 1;
      } else if (/^deadline_exceeded|OUTCOME_UNKNOWN$|^broken/.test(kept.refusal)) this.#lost.push(write);
      else this.#notWritten.push(write);
      await sleep(Math.random() * 2 * PAUSE_MS);
    }
  }

  /** Sees the hot sequence dense at all times. */
  async #reader(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const body = { ...SEQUENCES[0]!, pageSize: 1_000 };
      const page = await this.#send({ method: 'ListElements', body }, turn);
      const elements = (page?.body['elements'] ?? []) as { sequenceNumber: number }[];
      assert.deepEqual(
        elements.map(({ sequenceNumber }) => sequenceNumber),
        elements.map((_, index) => index + 1),
      );
      await sleep(200);
    }
  }

  /** @returns its success, or nothing where it was refused, which is noted */
  async #send(
    { method, body }: { method: string; body: object },
    turn: number,
    kept?: { refusal: string },
  ): Promise<Answer | undefined> {
    const replica = this.#replicas.at(turn);
    const sent = performance.now();
    const refusal = (code: string, reason = '') => {
      const key = `${code} ${reason}`.trim();
      this.refused.set(key, (this.refused.get(key) ?? 0) + 1);
      if (kept) kept.refusal = key;
      return undefined;
    };
    if (replica === undefined) return refusal(BROKEN);
    const call = replica.callers[turn % replica.callers.length]!;
    let answer: Answer;
    try {
      answer = await call(method, body);
    } catch (error) {
      if (!this.#mayBreak) {
        await sleep(500);
        assert.fail(`a connection broke: ${error}; ${await this.#replicas.obituaries()}`);
      }
      return refusal(BROKEN);
    }
    if (answer.status === 200) {
      if (method !== 'ListElements') this.#note(replica, sent);
      return answer;
    }
    const code = String(answer.body['code']);
    assert.ok(ALLOWED.has(code), `${method} was answered ${JSON.stringify(answer)}`);
    return refusal(code, reasonOf(answer));
  }

  #note(replica: Replica, sent: number): void {
    this.#acknowledged.set(replica, Math.max(sent, this.#acknowledged.get(replica) ?? 0));
  }

  #ledgerOf({ sequence }: SentWrite): Ledger {
    return this.ledgers[SEQUENCES.indexOf(sequence)]!;
  }
}

/** The sequence of an author: most write to the hot one. */
function placeOf(index: number): number {
  return index < HOT_AUTHORS ? 0 : 1 + (index % (SEQUENCES.length - 1));
}

function reasonOf({ body }: Answer): string {
  const details = (body['details'] ?? []) as { debug?: { reason?: string } }[];
  return details.find(({ debug }) => debug?.reason !== undefined)?.debug?.reason ?? '';
}
