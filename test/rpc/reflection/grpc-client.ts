import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type Version = 'v1' | 'v1alpha';

/** ServerReflectionResponse as proto-loader decodes it: only what is on the wire, `message_response` the case set. */
export interface Answer {
  valid_host?: string;
  original_request?: Record<string, unknown>;
  message_response?: string;
  file_descriptor_response?: { file_descriptor_proto: Buffer[] };
  all_extension_numbers_response?: { base_type_name: string; extension_number?: number[] };
  list_services_response?: { service: { name: string }[] };
  error_response?: { error_code: number; error_message: string };
}

export type Call = grpc.ClientDuplexStream<object, Answer>;
type Stub = grpc.Client & { serverReflectionInfo(options?: grpc.CallOptions): Call };
type Package = { grpc: { reflection: Record<Version, { ServerReflection: grpc.ServiceClientConstructor }> } };

/** A client of server reflection that shares no code with the server: grpc-js, from the published .proto files. */
export function reflectionClient(version: Version, port: number): Stub {
  const loaded = loadSync(`grpc/reflection/${version}/reflection.proto`, {
    includeDirs: ['node_modules/@grpc/reflection/build/proto'],
    keepCase: true,
    oneofs: true,
  });
  const { ServerReflection } = (grpc.loadPackageDefinition(loaded) as unknown as Package).grpc.reflection[
    version
  ];
  return new ServerReflection(`127.0.0.1:${port}`, grpc.credentials.createInsecure()) as unknown as Stub;
}

/** Sends requests in one stream and resolves with the answers, once the server has ended it with status OK. */
export function converse(client: Stub, requests: object[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const call = client.serverReflectionInfo({ deadline: Date.now() + 3_000 });
    const answers: Answer[] = [];
    call.on('data', (answer) => answers.push(answer));
    call.on('error', reject);
    call.on('end', () => resolve(answers));
    for (const request of requests) call.write(request);
    call.end();
  });
}
