import { Client, type ConfigurationOptions } from 'typesense';
import type { TypesenseDouble } from '../support/typesense/typesense-double.ts';
import { SCHEMA } from './typesense-asker.ts';

/** The official client with its defaults, but quick and silent. */
export function clientOf(double: TypesenseDouble, options: Partial<ConfigurationOptions> = {}): Client {
  return clientOfNodes([double.url], { apiKey: double.apiKey, ...options });
}

export function clientOfNodes(urls: readonly string[], options: Partial<ConfigurationOptions>): Client {
  return new Client({
    nodes: urls.map((url) => ({ url })),
    apiKey: 'typesense-key',
    connectionTimeoutSeconds: 0.3,
    retryIntervalSeconds: 0.01,
    logLevel: 'silent',
    ...options,
  });
}

export async function createCollection(client: Client): Promise<void> {
  await client.collections().create(SCHEMA as never);
}

/** What a call rejects with, as far as section 8 of the record speaks of it. */
export async function rejection(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    const { code, message, httpStatus, httpBody, importResults, isAxiosError } = error as Error &
      Record<'code' | 'httpStatus' | 'httpBody' | 'importResults' | 'isAxiosError', unknown>;
    // axios keeps the name of a socket's error, so the class says more.
    const name = isAxiosError ? 'AxiosError' : (error as Error).name;
    return { name, code, message, httpStatus, httpBody, importResults };
  }
  throw new Error('the call did not fail');
}
