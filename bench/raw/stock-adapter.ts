/** connect-node's own adapter on Node's own server, with an RPC that does nothing: `stock-adapter.ts json|grpc`. */
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/health/v1/health_pb.js';

const routes = (router: ConnectRouter) =>
  router.service(Health, { check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }) });
const handler = connectNodeAdapter({ routes });
const server = process.argv[2] === 'grpc' ? createHttp2Server(handler) : createServer(handler);
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ msg: 'serving', port: (server.address() as AddressInfo).port }));
});
process.once('SIGTERM', () => process.exit());
