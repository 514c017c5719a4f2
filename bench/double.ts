import { TypesenseDouble } from '../test/support/typesense/typesense-double.ts';
import { ClientServiceDouble } from '../test/support/typesense-client/client-service-double.ts';

// A search index on loopback, in a process of its own, without a record of what came: it would fill the memory.
const double = process.argv[2] === 'typesense' ? new TypesenseDouble() : new ClientServiceDouble();
double.server.keeps = 'nothing';
const microsPerDocument = Number(process.argv[3] ?? 0);
const { faults } = double.server;
if (microsPerDocument > 0)
  faults.take = ({ documents }) => ({ kind: 'delay', ms: (documents * microsPerDocument) / 1000 });
await double.server.open();
process.stdout.write(`${double.url}\n`);
