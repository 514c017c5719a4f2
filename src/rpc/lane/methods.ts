import type { DescService } from '@bufbuild/protobuf';
import {
  type ConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from '@connectrpc/connect';

/** A unary method and its implementation. */
export type UnaryMethod = Extract<MethodImplSpec, { kind: 'unary' }>;

/**
 * A router that registers with another one, and keeps the unary methods that were registered without options of
 * their own.
 */
export function recordMethods(router: ConnectRouter): {
  readonly router: ConnectRouter;
  readonly methods: readonly UnaryMethod[];
} {
  const methods: UnaryMethod[] = [];
  const record = (spec: MethodImplSpec) => {
    if (spec.kind === 'unary') methods.push(spec);
  };
  const recording: ConnectRouter = {
    handlers: router.handlers,
    service(service: DescService, implementation, options) {
      if (options === undefined)
        Object.values(createServiceImplSpec(service, implementation).methods).forEach(record);
      router.service(service, implementation, options);
      return recording;
    },
    rpc(method, implementation, options) {
      if (options === undefined) record(createMethodImplSpec(method, implementation));
      router.rpc(method, implementation, options);
      return recording;
    },
  };
  return { router: recording, methods };
}
