/** Kinds of values that name places in a network. */

import { isIP, isIPv4 } from 'node:net';
import { Fault, type Kind } from './kinds.ts';

/** An IP address or a host name, without scheme, port or brackets. */
export const hostName: Kind<string> = {
  range: 'an IP address or a host name, without scheme, port or brackets',
  parse(text) {
    if (isIP(text) !== 0) return text;
    const labels = text.split('.');
    const isName =
      text.length <= 253 && labels.every((part) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(part));
    // 999.1.1.1 has the form of a name, and would only fail later, in a lookup.
    const meantAsAddress = labels.every((part) => /^\d+$/.test(part)) && !isIPv4(text);
    if (!isName || meantAsAddress) throw new Fault(`must be ${hostName.range}`);
    return text;
  },
  format: String,
};

/** Whether only this machine reaches a service that listens on it. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1|::ffff:127(\.\d+){3})$/i.test(host);
}

/** Exact web origins, comma separated; empty is none. Compared byte by byte with a browser's `Origin` header. */
export const origins: Kind<readonly string[]> = {
  range: 'a comma-separated list of exact origins such as https://app.example.org, without a path',
  parse(text) {
    const listed = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    for (const entry of listed) checkOrigin(entry);
    return [...new Set(listed)];
  },
  format: (value) => value.join(','),
};

function checkOrigin(entry: string): void {
  if (entry === '*') throw new Fault(`must be ${origins.range}; * (everybody) is not allowed`);
  const url = URL.parse(entry);
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isWeb || url.username !== '' || url.password !== '') {
    throw new Fault(`must be ${origins.range}`);
  }
  if (url.origin !== entry) {
    throw new Fault(`must be ${origins.range}, as a browser sends them (${JSON.stringify(url.origin)})`);
  }
}

/** The base address of an HTTP service, or empty. */
export const httpUrl: Kind<string> = {
  range: 'an address such as http://127.0.0.1:8108, without query or fragment, or empty',
  parse(text) {
    if (text === '') return text;
    const url = URL.parse(text);
    const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
    if (
      url === null ||
      !isWeb ||
      url.search !== '' ||
      url.hash !== '' ||
      url.username !== '' ||
      url.password !== ''
    )
      throw new Fault(`must be ${httpUrl.range}`);
    return text.replace(/\/+$/, '');
  },
  format: String,
};
