import { fileURLToPath } from 'node:url';

const path = (file: string) => fileURLToPath(new URL(`../../proto/${file}`, import.meta.url));

/** The folder that the contract's imports are relative to: what protoc calls `-I`. */
export const PROTO_FOLDER: string = path('');

/** The contract, relative to {@link PROTO_FOLDER}. */
export const SEQUENCE_PROTO = 'fountain/sequence/v1/sequence.proto';

/** A gRPC service config: reads are repeated after UNAVAILABLE, writes are not. */
export const SERVICE_CONFIG: string = path('service_config.json');

/** The same for a client whose every write carries a `request_id`: writes are repeated too. */
export const SERVICE_CONFIG_WITH_REQUEST_IDS: string = path('service_config.request_ids.json');
