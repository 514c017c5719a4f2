import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import https, { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { Code, createClient } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
import { startApp } from '../support/app.ts';
import { Authority, type Certificate, HAS_OPENSSL, LOCALHOST } from '../support/certificates.ts';
import { capturedLog } from '../support/log-lines.ts';
import { reflect, STREAMS, TRANSPORTS } from '../support/streams.ts';
import { bearer, writeTokens } from '../support/tokens-file.ts';
import { until } from '../support/until.ts';

const PROTOCOLS = {
  connect: (baseUrl: string, nodeOptions: object) =>
    createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
  'connect over HTTP/2': (baseUrl: string, nodeOptions: object) =>
    createConnectTransport({ baseUrl, httpVersion: '2', nodeOptions }),
  grpc: (baseUrl: string, nodeOptions: object) => createGrpcTransport({ baseUrl, nodeOptions }),
  'grpc-web': (baseUrl: string, nodeOptions: object) =>
    createGrpcWebTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
};
const REQUEST = { scope: 'play', elementType: 1 };

describe.skipIf(!HAS_OPENSSL)(`client certificates${HAS_OPENSSL ? '' : ' (skipped: no openssl)'}`, () => {
  let folder: string;
  let authority: Authority;
  let server: Certificate;
  let alice: Certificate;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'certificates-'));
    authority = new Authority(folder, 'ca');
    server = authority.issue('server', LOCALHOST);
    alice = authority.issue('alice', {
      subject: '/CN=alice',
      altName: 'URI:spiffe://play/alice,DNS:alice.example',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Certificates with alice's name that are not accepted. */
  const bad = () => [
    new Authority(folder, 'other').issue('alice', { subject: '/CN=alice' }),
    authority.issue('old', { subject: '/CN=alice', from: '20200101000000Z', until: '20210101000000Z' }),
    authority.issue('young', { subject: '/CN=alice', from: '20900101000000Z' }),
  ];

  async function start(env: Record<string, string> = {}, overrides = {}) {
    const { log, lines } = capturedLog();
    const tls = {
      TLS_CERT_FILE: server.certFile,
      TLS_KEY_FILE: server.keyFile,
      TLS_CLIENT_CA_FILE: authority.ca.certFile,
    };
    const { port } = await startApp({ ...tls, ...env }, { log, ...overrides });
    return { url: `https://127.0.0.1:${port}`, port, lines };
  }
  const shows = (certificate?: Certificate) => ({
    ca: authority.ca.cert,
    ...(certificate && { cert: certificate.cert, key: certificate.key }),
  });
  const codeOf = async (call: Promise<unknown>) =>
    await call.then(
      () => 'OK',
      (error) => Code[(error as { code: number }).code] ?? String(error),
    );

  describe.each(Object.entries(PROTOCOLS))('%s', (_, transport) => {
    test('without AUTH: everything with one, nothing but health without', async () => {
      const { url, lines } = await start();
      const client = createClient(SequenceService, transport(url, shows(alice)));
      expect(await client.generate({ ...REQUEST, elementId: 1n })).toMatchObject({ sequenceNumber: 1 });
      expect(lines.find(({ msg }) => msg === 'rpc')).toMatchObject({ caller: 'cert:alice' });
      const nobody = transport(url, shows());
      expect(await codeOf(createClient(SequenceService, nobody).getSequence(REQUEST))).toBe(
        'Unauthenticated',
      );
      expect(await codeOf(createClient(Health, nobody).check({}))).toBe('OK');
    });

    test('of another authority, expired, not valid yet: no connection', async () => {
      const { url } = await start();
      for (const certificate of bad()) {
        const client = createClient(SequenceService, transport(url, shows(certificate)));
        const code = await codeOf(client.getSequence(REQUEST));
        expect(code).not.toBe('OK');
        // Not an answer of the service: the connection was cut.
        expect(code).not.toBe('Unauthenticated');
      }
    });

    test('with AUTH=tokens: what its line says; a token decides where there is one', async () => {
      const file = await writeTokens(folder, {
        bob: ['write', '*', 'seq_bob'],
        'cert:spiffe://play/alice': ['read', 'play', ''],
      });
      const { url, lines } = await start({ AUTH: 'tokens', API_TOKENS_FILE: file });
      const client = createClient(SequenceService, transport(url, shows(alice)));
      expect(await codeOf(client.getSequence(REQUEST))).toBe('OK');
      expect(lines.find(({ msg }) => msg === 'rpc')).toMatchObject({ caller: 'cert:spiffe://play/alice' });
      expect(await codeOf(client.generate({ ...REQUEST, elementId: 1n }))).toBe('PermissionDenied');
      expect(await codeOf(client.getSequence({ ...REQUEST, scope: 'other' }))).toBe('PermissionDenied');
      const options = (token: string) => ({ headers: bearer(token) });
      expect(await codeOf(client.generate({ ...REQUEST, elementId: 1n }, options('seq_bob')))).toBe('OK');
      expect(await codeOf(client.getSequence(REQUEST, options('wrong')))).toBe('Unauthenticated');

      const carol = authority.issue('carol', { subject: '/CN=carol' });
      const unknown = createClient(SequenceService, transport(url, shows(carol)));
      expect(await codeOf(unknown.getSequence(REQUEST))).toBe('PermissionDenied');
    });
  });

  describe.each(STREAMS)('%s, streaming', (wire) => {
    const DIAGNOSTICS = { PUBLIC_DIAGNOSTICS: 'off' };
    const over = (url: string, certificate?: Certificate) => TRANSPORTS[wire](url, shows(certificate));

    test('without AUTH: who shows one is let in, nobody else', async () => {
      const { url, lines } = await start(DIAGNOSTICS);
      expect((await reflect(over(url, alice))).code).toBe('OK');
      expect(lines.find(({ msg }) => msg === 'rpc')).toMatchObject({ caller: 'cert:alice' });
      expect((await reflect(over(url))).code).toBe('UNAUTHENTICATED');
    });

    test('of another authority, expired, not valid yet: no connection', async () => {
      const { url, lines } = await start(DIAGNOSTICS);
      for (const certificate of bad()) {
        const { code } = await reflect(over(url, certificate));
        expect(['OK', 'UNAUTHENTICATED']).not.toContain(code);
      }
      expect(lines.filter(({ msg }) => msg === 'rpc')).toEqual([]);
    });

    test('with AUTH=tokens: what its line says; a token decides where there is one', async () => {
      const file = await writeTokens(folder, { 'cert:spiffe://play/alice': ['read', 'play', ''] });
      const { url } = await start({ ...DIAGNOSTICS, AUTH: 'tokens', API_TOKENS_FILE: file });
      const transport = over(url, alice);
      expect((await reflect(transport)).code).toBe('OK');
      expect((await reflect(transport, bearer('wrong'))).code).toBe('UNAUTHENTICATED');
      const carol = authority.issue('carol', { subject: '/CN=carol' });
      expect((await reflect(over(url, carol))).code).toBe('PERMISSION_DENIED');
    });
  });

  test('are enough for an address that others can reach; diagnostics are for who shows one', async () => {
    const { port } = await start({ HOST: '0.0.0.0' });
    const statusOf = (path: string, certificate?: Certificate) =>
      new Promise<number>((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path, agent: false, ...shows(certificate) };
        const request = https.get(options, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        });
        request.on('error', reject);
      });
    expect([await statusOf('/metrics'), await statusOf('/metrics', alice)]).toEqual([401, 200]);
    expect([await statusOf('/readyz'), await statusOf('/health')]).toEqual([200, 200]);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a resumed session is the same caller, %s', async (version) => {
    const { port, lines } = await start();
    const agent = new Agent({ maxVersion: version, minVersion: version });
    const reused: boolean[] = [];
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        const request = https.get(
          {
            host: '127.0.0.1',
            port,
            agent,
            ...shows(alice),
            path: `/fountain.sequence.v1.SequenceService/GetSequence?connect=v1&encoding=json&message=${encodeURIComponent('{"elementType":1}')}`,
            headers: { connection: 'close' },
          },
          (response) => {
            reused.push((response.socket as TLSSocket).isSessionReused());
            response.resume().on('end', () => resolve(response.statusCode ?? 0));
          },
        );
        request.on('error', reject);
      });
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200]);
    expect(reused).toEqual([false, true, true]);
    expect(new Set(lines.filter(({ msg }) => msg === 'rpc').map(({ caller }) => caller))).toEqual(
      new Set(['cert:alice']),
    );
  });

  test('a certificate that expires while its connection is open opens nothing more', async () => {
    let now = Date.now();
    const { url } = await start({ PUBLIC_DIAGNOSTICS: 'off' }, { now: () => now });
    const clients = Object.values(PROTOCOLS).map((transport) =>
      createClient(SequenceService, transport(url, shows(alice))),
    );
    const streams = STREAMS.map((wire) => TRANSPORTS[wire](url, shows(alice)));
    for (const client of clients) expect(await codeOf(client.getSequence(REQUEST))).toBe('OK');
    for (const transport of streams) expect((await reflect(transport)).code).toBe('OK');
    now += 11 * 365 * 24 * 3_600_000;
    for (const client of clients) expect(await codeOf(client.getSequence(REQUEST))).toBe('Unauthenticated');
    for (const transport of streams) expect((await reflect(transport)).code).toBe('UNAUTHENTICATED');
  });

  test('a subject that is dressed up as another is not that one', async () => {
    const file = await writeTokens(folder, { 'cert:alice': ['admin', '*', ''] });
    const { url } = await start({ AUTH: 'tokens', API_TOKENS_FILE: file, PUBLIC_DIAGNOSTICS: 'off' });
    expect((await reflect(TRANSPORTS.grpc(url, shows(alice)))).code).toBe('OK');
    for (const [index, subject] of [
      { subject: '/CN=аlice' },
      { subject: '/CN=Alice' },
      { subject: '/CN=alice ' },
      { subject: '/O=alice' },
      { subject: '/CN=x, CN=alice' },
      { subject: '/CN=bob/CN=alice' },
      { subject: '/CN=x', altNames: ['URI.1=x, DNS:alice'] },
      { subject: '/CN=x', altNames: ['URI.1=x", DNS:alice, URI:"'] },
      { subject: '/CN=x', altNames: ['otherName.1=1.2.3.4;UTF8:x, DNS:alice'] },
    ].entries()) {
      const certificate = authority.issue(`dressed-${index}`, subject);
      for (const transport of Object.values(PROTOCOLS)) {
        const client = createClient(SequenceService, transport(url, shows(certificate)));
        expect([subject, await codeOf(client.getSequence(REQUEST))]).not.toEqual([subject, 'OK']);
      }
      for (const wire of STREAMS) {
        const { code } = await reflect(TRANSPORTS[wire](url, shows(certificate)));
        expect([subject, code]).not.toEqual([subject, 'OK']);
      }
    }
  });

  test('certificates are followed: new ones for new connections, open connections go on', async () => {
    const live = { certFile: join(folder, 'live.pem'), keyFile: join(folder, 'live.key.pem') };
    const install = async (certificate: Certificate) => {
      await copyFile(certificate.certFile, live.certFile);
      await copyFile(certificate.keyFile, live.keyFile);
    };
    await install(server);
    const { url, port, lines } = await start({ TLS_CERT_FILE: live.certFile, TLS_KEY_FILE: live.keyFile });
    const client = createClient(SequenceService, PROTOCOLS.grpc(url, shows(alice)));
    expect(await codeOf(client.getSequence(REQUEST))).toBe('OK');
    const sessions = () => lines.filter(({ msg }) => msg === 'rpc').length;
    const subjectOf = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, ca: authority.ca.cert }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.on('error', reject);
      });
    expect(await subjectOf()).toBe('localhost');

    await copyFile(alice.certFile, live.certFile);
    await until('a key that is not the certificate’s is told', () =>
      lines.some(({ level }) => level === 'error'),
    );
    expect(await subjectOf()).toBe('localhost');

    await install(authority.issue('renewed', { ...LOCALHOST, subject: '/CN=renewed' }));
    await until('the new certificate is shown', async () => (await subjectOf()) === 'renewed');
    expect(await codeOf(client.getSequence(REQUEST))).toBe('OK');
    expect(sessions()).toBe(2);
  });
});
