import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import type { Interceptor, StreamRequest, UnaryRequest } from '@connectrpc/connect';
import { type ElementType, SequenceService } from '../../../gen/fountain/sequence/v1/sequence_pb.js';
import { sequenceKeyString } from '../../domain/model.ts';
import { toSequenceKey } from '../convert.ts';
import type { Shedder } from './shedder.ts';

/**
 * While writes are more than half of what can be answered in time, refuses those to sequences that have had their
 * share. Only here is it known what a call is for; the edge refuses whoever comes.
 */
export function shareFairly(shedder: Shedder): Interceptor {
  return (next) => (request) => {
    if (!shedder.isPressed || !isWrite(request)) return next(request);
    const message = request.message as unknown as { scope: string; elementType: ElementType };
    shedder.admitTo(sequenceKeyString(toSequenceKey(message)));
    return next(request);
  };
}

/** Every write of SequenceService names one sequence. */
function isWrite({ service, method }: UnaryRequest | StreamRequest): boolean {
  return (
    service.typeName === SequenceService.typeName &&
    method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  );
}
