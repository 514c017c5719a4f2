import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';

/** Whether a method only reads. */
export function isRead(method: DescMethodUnary): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/**
 * The request as it goes out on every attempt: a write without a request id gets one, which makes its repetition safe.
 * The caller's own object stays as it is.
 */
export function repeatableRequest<I extends DescMessage>(
  method: DescMethodUnary<I>,
  input: MessageInitShape<I>,
): MessageShape<I> {
  const request = create(method.input, input);
  if (isRead(method) || !('requestId' in request) || request.requestId !== '') return request;
  return { ...request, requestId: crypto.randomUUID() };
}
