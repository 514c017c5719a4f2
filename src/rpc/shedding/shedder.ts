import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { SequenceService } from '../../../gen/fountain/sequence/v1/sequence_pb.js';
import { OverloadedError } from '../../domain/errors.ts';
import type { Logger } from '../../log.ts';
import type { RpcMetrics } from '../../metrics.ts';
import { LinkedList, type Place } from '../../util/linked-list.ts';
import { FairShares } from './fair-shares.ts';
import { HeldCall } from './held-call.ts';
import { InFlightLimit, type InFlightOptions } from './in-flight-limit.ts';
import { Pace, type PaceOptions } from './pace.ts';
import { Refusal } from './refusal.ts';

/** Of writes and of reads, each for themselves: reads are answered while writes are refused. */
const LIMIT: Omit<InFlightOptions, 'utilization'> = { targetMs: 25, min: 256, start: 512, max: 4_096 };
/** Refusals for each call that is answered: what they cost must not be what the service does. */
const REFUSED_PER_ANSWERED = 0.15;
/** The same of those whose message was read, which cost more. */
const READ_PER_ANSWERED = 0.1;
const MIN_REFUSED_PER_SECOND = 200;
const PACE: Omit<PaceOptions, 'perSecond'> = { burst: 50, maxHoldMs: 500, maxHeld: 4_096 };
/** What a refused caller is told to wait. */
const RETRY_AFTER_MS = 500;
/** While calls are refused, those that hold a place are looked through this often. */
const LOOK_EVERY_MS = 100;
/** The log has a line in this time at most. */
const LOG_EVERY_MS = 10_000;

/** What a {@link Shedder} reports to. */
export interface ShedderOptions {
  readonly metrics: RpcMetrics;
  readonly logger: Logger;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * Refuses calls of SequenceService before their messages are read, where more run than can be answered in time. The
 * writer's queue cannot see that: where the event loop is what is short, calls wait before they come to it.
 * What a write is for is known when its message has been read: before all places are taken, it sees to it that no
 * sequence takes many times its share of them.
 *
 * Health, reflection and the operators' SyncService are never refused.
 */
export class Shedder {
  readonly #options: ShedderOptions;
  readonly #limits = new Map<string, InFlightLimit>();
  readonly #writes: InFlightLimit;
  readonly #shares = new FairShares();
  readonly #pace: Pace;
  readonly #readPace: Pace;
  readonly #tooMany = new OverloadedError(
    'the service is overloaded, and writes to this sequence have had their share',
    RETRY_AFTER_MS,
  );
  readonly #refusal = new Refusal(RETRY_AFTER_MS);
  #fresh: Place<HeldCall>[] = [];
  /**
   * Calls that hold a place; and where in that, by what their messages are read from. Its entries are deleted: those of
   * a WeakMap that lives long would keep their values from dying young.
   */
  readonly #held = new LinkedList<HeldCall>();
  readonly #bySource = new WeakMap<Readable, Place<HeldCall>>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #refused = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ShedderOptions) {
    this.#options = options;
    const writes = new InFlightLimit({ ...LIMIT, utilization: loopUtilization() });
    const reads = new InFlightLimit({ ...LIMIT, utilization: loopUtilization() });
    this.#writes = writes;
    const pace = (perAnswered: number) =>
      new Pace({
        ...PACE,
        perSecond: () => Math.max(MIN_REFUSED_PER_SECOND, perAnswered * (writes.perSecond + reads.perSecond)),
      });
    this.#pace = pace(REFUSED_PER_ANSWERED);
    this.#readPace = pace(READ_PER_ANSWERED);
    for (const { name, idempotency } of SequenceService.methods)
      this.#limits.set(
        `/${SequenceService.typeName}/${name}`,
        idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ? reads : writes,
      );
  }

  /** Whether the call is let in; where it is not, it has been answered, or will be in a moment. */
  admit(path: string, request: Request, response: Response): boolean {
    if (this.hold(path, request, response)) return true;
    this.#refuse(request, response);
    return false;
  }

  /** Whether a call that comes now would be let in. */
  hasRoom(path: string): boolean {
    return this.#limits.get(path)?.hasRoom(performance.now()) ?? true;
  }

  /**
   * Gives a call a place until its answer is closed, or given and the place wanted; false, and nothing is done, where there is none.
   *
   * @param message of which it is seen whether it has come
   */
  hold(path: string, message: IncomingMessage | Readable, answer: Writable): boolean {
    const limit = this.#limits.get(path);
    if (limit === undefined) return true;
    if (!this.#enter(limit)) return false;
    const call = new HeldCall(limit, message, answer);
    const place = this.#held.add(call);
    this.#bySource.set(call.source, place);
    answer.on('close', () => this.#leave(place));
    if (this.#fresh.push(place) === 1) setImmediate(() => this.#look());
    return true;
  }

  /** Whether writes are so many that it matters which sequences they are for. */
  get isPressed(): boolean {
    return this.#writes.isPressed;
  }

  /**
   * While it {@link isPressed}: lets a write go on whose message has been read.
   *
   * @throws OverloadedError where its sequence has had its share
   */
  admitTo(sequenceName: string): void {
    if (this.#shares.take(sequenceName, performance.now())) return;
    this.#count();
    throw this.#tooMany;
  }

  /**
   * A call is to be refused whose message has been read: frees its place at once, and resolves when it may be told.
   *
   * @param source of its message
   */
  async holdBack(source: Readable | undefined): Promise<void> {
    const place = source && this.#bySource.get(source);
    if (place !== undefined) {
      this.#held.remove(place);
      this.#bySource.delete(place.value.source);
      place.value.giveBack();
    }
    if (this.#writes.isBusy) await new Promise<void>((resolve) => this.#readPace.run(resolve));
  }

  /** A message that does not come with its headers holds no place: else a few slow senders would take them all. */
  #look(): void {
    for (const place of this.#fresh) if (!place.value.hasMessage) this.#leave(place);
    this.#fresh = [];
  }

  #enter(limit: InFlightLimit): boolean {
    const nowMs = performance.now();
    if (limit.enter(nowMs)) return true;
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return false;
    this.#lookedMs = nowMs;
    // An answer closes when its caller has taken it; those who do not would hold all places for a time-out.
    for (let place = this.#held.first; place !== undefined; ) {
      const next = this.#held.after(place);
      if (place.value.isAnswered) this.#leave(place);
      place = next;
    }
    return limit.enter(nowMs);
  }

  #leave(place: Place<HeldCall>): void {
    this.#held.remove(place);
    this.#bySource.delete(place.value.source);
    place.value.leave();
  }

  #refuse(request: Request, response: Response): void {
    this.#count();
    this.#pace.run(() => {
      if (!isGone(response)) this.#refusal.send(request, response);
    });
  }

  #count(): void {
    const { metrics, logger } = this.#options;
    metrics.refused.inc({ reason: 'overloaded' });
    this.#refused += 1;
    const nowMs = performance.now();
    if (nowMs - this.#loggedMs >= LOG_EVERY_MS) {
      logger.warn(
        { refused: this.#refused },
        'more calls come than can be answered in time; some are refused',
      );
      this.#loggedMs = nowMs;
      this.#refused = 0;
    }
  }
}

/** A function that tells how busy the event loop has been since it was last called. */
function loopUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

function isGone(response: Response): boolean {
  return 'stream' in response
    ? response.stream === undefined || response.stream.destroyed
    : response.destroyed;
}
