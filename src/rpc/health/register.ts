import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { Health } from '../../../gen/health/v1/health_pb.js';
import type { HealthRegistry } from './registry.ts';

/**
 * Serves `grpc.health.v1.Health` (Check, Watch, List) from a registry, as its
 * {@link https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto | published contract} says:
 *
 * - Check of an unknown service is NOT_FOUND; an empty name asks about the server as a whole.
 * - Watch sends the current status at once and then each change; an unknown service is SERVICE_UNKNOWN and the call stays
 *   open. It lasts as long as the client wants, so a server-wide default deadline must not apply to it.
 * - List answers all services that are known, `''` included, or RESOURCE_EXHAUSTED when they are too many.
 */
export function registerHealth(router: ConnectRouter, registry: HealthRegistry): void {
  router.service(Health, {
    check({ service }) {
      const status = registry.get(service);
      // The name is not quoted: it may be as long as a request body, and error messages travel in headers.
      if (status === undefined) throw new ConnectError('unknown service', Code.NotFound);
      return { status };
    },
    async *watch({ service }, { signal }) {
      for await (const status of registry.watch(service, signal)) yield { status };
    },
    list() {
      const statuses = [...registry.list()].map(([service, status]) => [service, { status }] as const);
      return { statuses: Object.fromEntries(statuses) };
    },
  });
}
