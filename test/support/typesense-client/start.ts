import { onTestFinished } from 'vitest';
import { ClientServiceDouble, type ClientServiceOptions } from './client-service-double.ts';

/** Starts a Typesense Client service on loopback; it ends when the test has finished. */
export async function startClientService(options: ClientServiceOptions = {}): Promise<ClientServiceDouble> {
  const double = new ClientServiceDouble(options);
  onTestFinished(() => double.server.stop());
  await double.server.open();
  return double;
}
