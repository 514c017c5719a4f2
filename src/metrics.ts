import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What the group-commit writer measures. */
export interface WriterMetrics {
  /** Writes that wait, by nothing: the depth of the queue. */
  readonly queued: Gauge;
  /** Memory that waiting writes hold, bytes. */
  readonly queuedBytes: Gauge;
  /** Members of a batch. */
  readonly batchSize: Histogram;
  /** Seconds from a write's arrival to the start of its batch. */
  readonly wait: Histogram;
  /** Seconds of a transaction, commit included, by outcome. */
  readonly transaction: Histogram<'outcome'>;
  /** Writes refused because the queue is full. */
  readonly overloaded: Counter;
}

/** What the RPC floor measures. */
export interface RpcMetrics {
  /** Seconds of an RPC by method, code and protocol. */
  readonly duration: Histogram<'method' | 'code' | 'protocol'>;
  /** RPCs that are running. */
  readonly inFlight: Gauge;
  /** Requests that the protocol layer refused before a handler, by reason. */
  readonly refused: Counter<'reason'>;
  /** RPCs of callers beyond their rate. */
  readonly rateLimited: Counter;
  /** RPCs that took the lane. */
  readonly laneTaken: Counter;
}

/** What the following of the search index measures. */
export interface SyncMetrics {
  /** Documents that the index has not acknowledged, parked ones included. */
  readonly dirty: Gauge;
  readonly parked: Gauge;
  /** Seconds that the oldest of them, parked ones apart, has waited. */
  readonly oldestAge: Gauge;
  /** Documents sent, by outcome. */
  readonly documents: Counter<'outcome'>;
  /** Seconds of a call of the index. */
  readonly sendDuration: Histogram;
  /** 1 for the state that the breaker is in, 0 for the others. */
  readonly breakerState: Gauge<'state'>;
  readonly breakerTransitions: Counter<'state'>;
  readonly keyRefreshes: Counter<'outcome'>;
  /** The share of a running resync that is marked and sent, 0 to 1; 1 where none runs. */
  readonly resyncProgress: Gauge;
  /** Documents that the index holds, and that the database implies; the first only where the target can tell. */
  readonly indexDocuments: Gauge;
  readonly expectedDocuments: Gauge;
}

/** What is measured of the files under a SQLite database. */
export interface FileMetrics {
  /** 1 while they are the ones that were opened, 0 where one is gone, replaced or truncated. */
  readonly ok: Gauge;
  readonly bytes: Gauge<'file'>;
}

/** Every metric of the service, in a registry of its own. */
export interface Metrics {
  readonly registry: Registry;
  readonly rpc: RpcMetrics;
  readonly writer: WriterMetrics;
  readonly sync: SyncMetrics;
  readonly files: FileMetrics;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Makes the metrics, and Node's own beside them. Names start with `sequence_`, units are base units. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'sequence_' });
  const registers = [registry];
  return {
    registry,
    rpc: {
      duration: new Histogram({
        name: 'sequence_rpc_duration_seconds',
        help: 'Time from the arrival of an RPC to its answer.',
        labelNames: ['method', 'code', 'protocol'],
        buckets: SECONDS,
        registers,
      }),
      inFlight: new Gauge({ name: 'sequence_rpc_in_flight', help: 'RPCs that are running.', registers }),
      refused: new Counter({
        name: 'sequence_requests_refused_total',
        help: 'Requests that the protocol layer refused before a handler saw them.',
        labelNames: ['reason'],
        registers,
      }),
      rateLimited: new Counter({
        name: 'sequence_rpc_rate_limited_total',
        help: 'RPCs refused because their caller had made more than RATE_LIMIT.',
        registers,
      }),
      laneTaken: new Counter({
        name: 'sequence_rpc_lane_total',
        help: 'RPCs that were answered by the lane in front of the stock adapter.',
        registers,
      }),
    },
    writer: {
      queued: new Gauge({
        name: 'sequence_writer_queue_entries',
        help: 'Writes that wait for a batch.',
        registers,
      }),
      queuedBytes: new Gauge({
        name: 'sequence_writer_queue_bytes',
        help: 'Memory that waiting writes hold.',
        registers,
      }),
      batchSize: new Histogram({
        name: 'sequence_writer_batch_size',
        help: 'Writes that share a transaction.',
        buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        registers,
      }),
      wait: new Histogram({
        name: 'sequence_writer_wait_seconds',
        help: 'Time from the arrival of a write to the start of its batch.',
        buckets: SECONDS,
        registers,
      }),
      transaction: new Histogram({
        name: 'sequence_writer_transaction_seconds',
        help: 'Time of a write transaction, commit included, by outcome.',
        labelNames: ['outcome'],
        buckets: SECONDS,
        registers,
      }),
      overloaded: new Counter({
        name: 'sequence_writer_overloaded_total',
        help: 'Writes refused because too many were waiting.',
        registers,
      }),
    },
    sync: {
      dirty: new Gauge({
        name: 'sequence_sync_dirty_documents',
        help: 'Documents that the search index has not acknowledged, parked ones included.',
        registers,
      }),
      parked: new Gauge({
        name: 'sequence_sync_parked_documents',
        help: 'Documents that the search index has refused too often.',
        registers,
      }),
      oldestAge: new Gauge({
        name: 'sequence_sync_oldest_age_seconds',
        help: 'How long the oldest dirty document that is not parked has waited.',
        registers,
      }),
      documents: new Counter({
        name: 'sequence_sync_documents_total',
        help: 'Documents sent to the search index, by outcome.',
        labelNames: ['outcome'],
        registers,
      }),
      sendDuration: new Histogram({
        name: 'sequence_sync_send_seconds',
        help: 'Time of a call of the search index.',
        buckets: SECONDS,
        registers,
      }),
      breakerState: new Gauge({
        name: 'sequence_sync_breaker_state',
        help: 'The state of the circuit breaker: 1 for the one it is in.',
        labelNames: ['state'],
        registers,
      }),
      breakerTransitions: new Counter({
        name: 'sequence_sync_breaker_transitions_total',
        help: 'Changes of the circuit breaker, by the state it came to.',
        labelNames: ['state'],
        registers,
      }),
      keyRefreshes: new Counter({
        name: 'sequence_sync_key_refreshes_total',
        help: 'Keys asked of the key management service, by outcome.',
        labelNames: ['outcome'],
        registers,
      }),
      resyncProgress: new Gauge({
        name: 'sequence_sync_resync_progress_ratio',
        help: 'How much of the running resync the search index has acknowledged; 1 where none runs.',
        registers,
      }),
      indexDocuments: new Gauge({
        name: 'sequence_sync_index_documents',
        help: 'Documents that the search index holds.',
        registers,
      }),
      expectedDocuments: new Gauge({
        name: 'sequence_sync_expected_documents',
        help: 'Documents that the database implies.',
        registers,
      }),
    },
    files: {
      ok: new Gauge({
        name: 'sequence_database_files_ok',
        help: 'Whether the SQLite files are those that were opened: 0 where one is gone, replaced or truncated.',
        registers,
      }),
      bytes: new Gauge({
        name: 'sequence_database_file_bytes',
        help: 'Size of the SQLite database and of its write-ahead log.',
        labelNames: ['file'],
        registers,
      }),
    },
  };
}
