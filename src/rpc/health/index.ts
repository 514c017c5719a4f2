/**
 * `grpc.health.v1.Health` for connect-es, which does not ship it. The folder imports nothing of its surroundings
 * but the generated code, so that it could become a package.
 */
export { registerHealth } from './register.ts';
export {
  HealthRegistry,
  type HealthRegistryOptions,
  ServingStatus,
  type SettableStatus,
} from './registry.ts';
