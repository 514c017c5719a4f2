import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db/database.ts';
import { startPostgres } from '../support/postgres/server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Makes a certificate for a host, signed by itself; the files go with the test. */
async function certificate(host: string): Promise<{ file: string; cert: string; key: string }> {
  const folder = await temporaryFolder();
  const [file, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const name = /^\d/.test(host) ? `IP:${host}` : `DNS:${host}`;
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${host}`].concat([
      ...['-addext', `subjectAltName=${name}`, '-out', file, '-keyout', keyFile],
    ]),
    { stdio: 'ignore' },
  );
  return { file, cert: await readFile(file, 'utf8'), key: await readFile(keyFile, 'utf8') };
}

/** Opens and closes a database; whether its connections were encrypted. */
async function encrypted(env: Record<string, string>): Promise<unknown> {
  const database = await openDatabase({ ...loadConfig(env).database, migrate: 'auto' });
  try {
    return await database.writer.transaction(async (tx) => {
      const [row] = await tx.query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return row!.ssl;
    }, 5_000);
  } finally {
    await database.close();
  }
}

describe.skipIf(!hasOpenssl)('TLS', () => {
  test('each sslmode checks what it says, with the certificates of DATABASE_SSL_CA or sslrootcert', async () => {
    const [own, other] = [await certificate('127.0.0.1'), await certificate('127.0.0.1')];
    const server = await startPostgres({ tls: own });
    try {
      const url = (parameters: string) => `${server.url()}?${parameters}`;
      expect(await encrypted({ DATABASE_URL: server.url() })).toBe(false);
      expect(await encrypted({ DATABASE_URL: url('sslmode=require') })).toBe(true);
      for (const mode of ['require', 'verify-ca', 'verify-full']) {
        const DATABASE_URL = url(`sslmode=${mode}`);
        expect(await encrypted({ DATABASE_URL, DATABASE_SSL_CA: own.file })).toBe(true);
        const named = url(`sslmode=${mode}&sslrootcert=${encodeURIComponent(own.file)}`);
        expect(await encrypted({ DATABASE_URL: named })).toBe(true);
        const wrong = encrypted({ DATABASE_URL, DATABASE_SSL_CA: other.file });
        await expect(wrong, mode).rejects.toThrow(/cannot be opened: self-signed certificate/);
      }
      await expect(encrypted({ DATABASE_URL: url('sslmode=verify-full') })).rejects.toThrow('self-signed');
      const missing = { DATABASE_URL: url('sslmode=require'), DATABASE_SSL_CA: '/no/such.pem' };
      await expect(encrypted(missing)).rejects.toThrow('/no/such.pem, cannot be read');
    } finally {
      await server.stop();
    }
  });

  test('verify-ca takes a certificate of another name, verify-full does not', async () => {
    const own = await certificate('db.example.org');
    const server = await startPostgres({ tls: own });
    try {
      const env = (mode: string) => ({
        DATABASE_URL: `${server.url()}?sslmode=${mode}`,
        DATABASE_SSL_CA: own.file,
      });
      expect(await encrypted(env('verify-ca'))).toBe(true);
      await expect(encrypted(env('verify-full'))).rejects.toThrow(/cannot be opened: .*altnames/);
    } finally {
      await server.stop();
    }
  });
});
