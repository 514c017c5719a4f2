import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Certificates are made with it at test time: none that could run out is kept. */
export const HAS_OPENSSL = spawnSync('openssl', ['version']).status === 0;

/** A certificate and its key, as files and as PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is to say. */
export interface Subject {
  /** `/CN=alice`; as openssl writes it. */
  readonly subject: string;
  /** `DNS:localhost,IP:127.0.0.1`. */
  readonly altName?: string;
  /** Lines of an `[alt]` section, for names that `altName` cannot hold: `URI.1=x, DNS:alice`. */
  readonly altNames?: readonly string[];
  /** As openssl's `ca` takes them: `20240101000000Z`. Default: from an hour ago for ten years. */
  readonly from?: string;
  readonly until?: string;
}

/** A certificate authority of a test's own. */
export class Authority {
  readonly #folder: string;
  readonly #name: string;
  readonly ca: Certificate;

  /** @param folder where files go; it is the caller's to remove */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    const { certFile, keyFile } = this.#paths(name);
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    openssl([
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '3650',
      '-subj',
      `/CN=${name}`,
      ...extensions,
      '-keyout',
      keyFile,
      '-out',
      certFile,
    ]);
    this.ca = read(certFile, keyFile);
    writeFileSync(join(folder, `${name}.index`), '');
    writeFileSync(
      join(folder, `${name}.cnf`),
      [
        '[ca]',
        'default_ca=own',
        '[own]',
        `database=${folder}/${name}.index`,
        `new_certs_dir=${folder}`,
        'rand_serial=yes',
        'unique_subject=no',
        'default_md=sha256',
        'policy=any',
        'copy_extensions=copy',
        '[any]',
        'commonName=optional',
        'organizationName=optional',
      ].join('\n'),
    );
  }

  /** Makes a certificate that this authority has signed. */
  issue(name: string, { subject, altName, altNames, from, until }: Subject): Certificate {
    const { certFile, keyFile } = this.#paths(`${this.#name}-${name}`);
    const request = `${certFile}.csr`;
    const extensions = `${certFile}.ext`;
    if (altNames !== undefined)
      writeFileSync(extensions, ['[ext]', 'subjectAltName=@alt', '[alt]', ...altNames].join('\n'));
    openssl([
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-utf8',
      '-subj',
      subject,
      ...(altName === undefined ? [] : ['-addext', `subjectAltName=${altName}`]),
      '-keyout',
      keyFile,
      '-out',
      request,
    ]);
    openssl([
      'ca',
      '-batch',
      '-notext',
      '-config',
      join(this.#folder, `${this.#name}.cnf`),
      '-cert',
      this.ca.certFile,
      '-keyfile',
      this.ca.keyFile,
      '-in',
      request,
      '-out',
      certFile,
      ...(altNames === undefined ? [] : ['-extfile', extensions, '-extensions', 'ext']),
      ...(from === undefined
        ? ['-days', '3650']
        : ['-startdate', from, '-enddate', until ?? '20990101000000Z']),
    ]);
    return read(certFile, keyFile);
  }

  #paths(name: string) {
    return { certFile: join(this.#folder, `${name}.pem`), keyFile: join(this.#folder, `${name}.key.pem`) };
  }
}

/** A certificate for the address that tests serve on. */
export const LOCALHOST: Subject = { subject: '/CN=localhost', altName: 'DNS:localhost,IP:127.0.0.1' };

function read(certFile: string, keyFile: string): Certificate {
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
