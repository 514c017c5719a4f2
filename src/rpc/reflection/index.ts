/**
 * gRPC server reflection, v1 and v1alpha, for connect-es, which does not ship it. The folder imports nothing of its
 * surroundings but the generated code, so that it could become a package.
 */
export { DescriptorIndex } from './descriptor-index.ts';
export { registerReflection } from './register.ts';
