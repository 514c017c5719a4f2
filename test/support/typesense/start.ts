import { onTestFinished } from 'vitest';
import { TypesenseDouble, type TypesenseOptions } from './typesense-double.ts';

/** Starts a Typesense on loopback; it ends when the test has finished. */
export async function startTypesense(options: TypesenseOptions = {}): Promise<TypesenseDouble> {
  const double = new TypesenseDouble(options);
  onTestFinished(() => double.server.stop());
  await double.server.open();
  return double;
}
