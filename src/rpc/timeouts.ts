/** Node's timers overflow above this and fire at once; a longer deadline is as good as this one (24.8 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const GRPC_UNITS_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

/**
 * Gives a request without a deadline the default one, and keeps a longer one than timers can hold within them.
 * What is malformed stays, for the protocol to refuse.
 *
 * @param defaultMs milliseconds; undefined for calls that may stay open
 */
export function setTimeoutHeader(header: Headers, defaultMs: number | undefined): void {
  const isGrpc = /^application\/grpc/i.test(header.get('content-type') ?? '');
  const name = isGrpc ? 'grpc-timeout' : 'connect-timeout-ms';
  const value = header.get(name);
  if (value === null) {
    if (defaultMs !== undefined) header.set(name, isGrpc ? `${defaultMs}m` : String(defaultMs));
    return;
  }
  if (isGrpc) {
    const [, digits, unit] = /^(\d{1,8})([HMS])$/.exec(value) ?? [];
    if (unit !== undefined && Number(digits) * GRPC_UNITS_MS[unit]! > MAX_TIMEOUT_MS)
      header.set(name, `${Math.floor(MAX_TIMEOUT_MS / 1000)}S`);
  } else if (/^\d{1,10}$/.test(value) && Number(value) > MAX_TIMEOUT_MS)
    header.set(name, String(MAX_TIMEOUT_MS));
}
