import { execFileSync } from 'node:child_process';
import { createFileRegistry, type DescFile, type DescService, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const compiled = execFileSync(
  'node_modules/.bin/buf',
  [
    'build',
    '--config={"version":"v2","modules":[{"path":"test/rpc/reflection/fixture"}]}',
    '--as-file-descriptor-set',
    '--output=-#format=binpb',
  ],
  { maxBuffer: 1 << 20 },
);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, compiled));

/** fixture.Draw, in shapes.proto, which imports colours.proto, which imports google/protobuf/timestamp.proto. */
export const Draw: DescService = registry.getService('fixture.Draw')!;

/** A file that nothing imports. */
export const detailsFile: DescFile = registry.getFile('details.proto')!;
