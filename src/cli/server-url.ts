import { isIPv6 } from 'node:net';
import { quote } from '../config/mask.ts';
import { loadConfig, readEnvironment } from '../config.ts';
import { CommandError } from './command.ts';

/** Where the running service is: as told, or else where this configuration would serve. */
export function serverUrl(told: string | boolean | undefined): string {
  if (typeof told !== 'string') {
    const configured = configuredUrl();
    if (configured !== undefined) return configured;
    throw new CommandError('PORT is 0, any free port: say with --server where the service listens', 2);
  }
  const url = URL.parse(told);
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return told.replace(/\/+$/, '');
  throw new CommandError(
    `--server must be an address such as http://127.0.0.1:8080; it is ${quote(told)}`,
    2,
  );
}

/** Where this configuration serves; undefined where it takes any free port. */
export function configuredUrl(): string | undefined {
  const { server, tls } = loadConfig(readEnvironment());
  const scheme = tls.certFile === '' ? 'http' : 'https';
  return server.port === 0 ? undefined : `${scheme}://${reachable(server.host)}:${server.port}`;
}

/** The address under which this machine reaches a service that listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (!isIPv6(host)) return host;
  return /^[0:]+$/.test(host) ? '[::1]' : `[${host}]`;
}
