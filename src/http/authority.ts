/*
 * connect-node makes `new URL(target, 'http://' + authority)` of every request, synchronously: what throws there
 * ends the process. What is let through here must not throw there; a property test holds the two together.
 */

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
// The last label begins with a letter, since a URL takes `a.1` for a broken IPv4 address; `xn--` may be broken punycode.
const NAME = '(?!.*xn--)(?:[a-z0-9_][a-z0-9_-]*\\.)*[a-z][a-z0-9_-]*';
const PORT = '(?::(?:\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}))?';
const ORDINARY = new RegExp(`^(?:${NAME}|${IPV4}|\\[::1\\])${PORT}$`, 'i');

// URL parsing drops or reinterprets these, so that the rest could name another host.
const FOREIGN = /[/?#@\\\s\p{Cc}]/u;

/** The last one that was let through: nearly every request has the same. */
let known = '';

/** Whether a Host or :authority value names a host, with an optional port, that a URL can be made of. */
export function isAuthority(authority: string | undefined): authority is string {
  if (authority === undefined || authority === '') {
    return false;
  }
  if (authority === known) {
    return true;
  }
  const sound = isSound(authority);
  if (sound) {
    known = authority;
  }
  return sound;
}

function isSound(authority: string): boolean {
  return ORDINARY.test(authority) || (!FOREIGN.test(authority) && URL.canParse(`http://${authority}`));
}

// A second `/`, `\` (the same to a URL) or white space (dropped by it) could start an authority of its own.
const PLAIN_TARGET = /^\/(?![/\\\s])/;

/** Whether a request target makes a URL at an authority that {@link isAuthority} has let through. */
export function isTarget(target: string | undefined, authority: string): boolean {
  if (target === undefined) {
    return false;
  }
  return PLAIN_TARGET.test(target) || URL.canParse(target, `http://${authority}`);
}
