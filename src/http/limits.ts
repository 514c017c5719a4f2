/** What one connection, and all of them together, may cost. Every field is a hard bound. */
export interface ListenerLimits {
  /**
   * Largest header section of a request, in bytes. HTTP/1.1 answers 431 beyond it. HTTP/2 counts as
   * SETTINGS_MAX_HEADER_LIST_SIZE does (name + value + 32 per field), answers 431 beyond it, and resets the
   * stream (ENHANCE_YOUR_CALM, which Node does not report, so it is not counted) beyond twice as much, which
   * is the size that the peer is told. Default 16 KiB.
   */
  maxHeaderBytes: number;
  /** Most header fields of a request, pseudo-headers apart; 431 beyond it, on HTTP/2 as above. Default 100. */
  maxHeaderCount: number;
  /**
   * Time for the headers of a request to arrive, in ms: from the connection's first byte, on a kept-alive
   * HTTP/1.1 connection from the request's. On HTTP/2 it is the time for the peer's first SETTINGS frame; headers
   * that stop half-way there count as idle. Default 10,000.
   */
  headersTimeoutMs: number;
  /**
   * Time for a whole request, body included, to arrive, in ms; 408 on HTTP/1.1, RST_STREAM (CANCEL) on HTTP/2.
   * An HTTP/2 request whose answer has begun is a stream in both directions and exempt until that answer ends.
   * It does not bound the handler. Must not be below headersTimeoutMs. Default 30,000.
   */
  requestTimeoutMs: number;
  /**
   * Time that a peer has to take what has been written of an answer, in ms; then its HTTP/1.1 connection is closed,
   * its HTTP/2 stream reset (CANCEL). Default 30,000.
   */
  answerTimeoutMs: number;
  /** Time until the first bytes tell which protocol a connection speaks, in ms; then it is closed. Default 10,000. */
  firstByteTimeoutMs: number;
  /**
   * Time that a connection may stay open with nothing running, in ms. HTTP/1.1: between two requests. HTTP/2: no
   * open stream (GOAWAY); a connection with an open stream, however quiet, is not idle. Default 120,000.
   */
  idleTimeoutMs: number;
  /** Time that a peer has to close its half after we closed ours, in ms; then the socket is destroyed. Default 2,000. */
  lingerTimeoutMs: number;
  /** Time that an HTTP/2 peer has, at a stop, to answer the PING that comes before its GOAWAY, in ms. Default 500. */
  farewellTimeoutMs: number;
  /** Most streams that one HTTP/2 connection may have open; more are refused (REFUSED_STREAM). Default 256. */
  maxConcurrentStreams: number;
  /** Most connections at a time; a further one is closed at once and counted. Default 10,000. */
  maxConnections: number;
  /** Most memory that nghttp2 may hold for one HTTP/2 connection, in MB (10^6 bytes). Default 32. */
  maxSessionMemoryMb: number;
  /** How often the time-outs are looked at, in ms: each may fire that much late. Default 1,000. */
  sweepIntervalMs: number;
}

/** The defaults named at each field of {@link ListenerLimits}. */
export const DEFAULT_LISTENER_LIMITS: Readonly<ListenerLimits> = {
  maxHeaderBytes: 16 * 1024,
  maxHeaderCount: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
  firstByteTimeoutMs: 10_000,
  idleTimeoutMs: 120_000,
  lingerTimeoutMs: 2_000,
  farewellTimeoutMs: 500,
  maxConcurrentStreams: 256,
  maxConnections: 10_000,
  maxSessionMemoryMb: 32,
  sweepIntervalMs: 1_000,
};
