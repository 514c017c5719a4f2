// A process of its own that opens a database for writing and says so: `node lock-holder.ts <file>`.

import { openDatabase } from '../../src/db/database.ts';
import { placeOf } from '../support/place.ts';

try {
  const { migrated } = await openDatabase(placeOf(process.argv[2]!));
  process.stdout.write(`${JSON.stringify({ migrated })}\n`);
  setInterval(() => {}, 60_000);
} catch (error) {
  process.stdout.write(
    `${JSON.stringify({ name: (error as Error).name, message: (error as Error).message })}\n`,
  );
}
