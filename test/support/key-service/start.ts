import { onTestFinished } from 'vitest';
import { KeyServiceDouble, type KeyServiceOptions } from './key-service-double.ts';

/** Starts a key management service on loopback; it ends when the test has finished. */
export async function startKeyService(options: KeyServiceOptions = {}): Promise<KeyServiceDouble> {
  const double = new KeyServiceDouble(options);
  onTestFinished(() => double.server.stop());
  await double.server.open();
  return double;
}
