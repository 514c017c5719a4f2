import type { DescFile, DescService } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import {
  ServerReflection,
  type ServerReflectionRequest,
} from '../../../gen/grpc/reflection/v1/reflection_pb.js';
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from '../../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { DescriptorIndex } from './descriptor-index.ts';

type AnyRequest = ServerReflectionRequest | ServerReflectionRequestAlpha;

/** `message_response`, in the shape that both versions' messages are made from. */
type Answer =
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: 'allExtensionNumbersResponse'; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'errorResponse'; value: { errorCode: Code; errorMessage: string } };

/**
 * Serves `grpc.reflection.v1.ServerReflection` and its older twin in `v1alpha`, as
 * {@link https://github.com/grpc/grpc/blob/master/doc/server-reflection.md | gRPC's server reflection protocol} says.
 * What is not found is an `error_response` in the stream, which goes on. File answers hold the file first and then all
 * that it imports; nothing is remembered between the requests of a stream.
 *
 * @param services - The services to list. Reflection itself and health are listed when they are among them.
 * @param moreFiles - Files that no listed service imports but its clients meet, such as the types of error details.
 */
export function registerReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  moreFiles: readonly DescFile[] = [],
): void {
  const index = new DescriptorIndex([...services.map((service) => service.file), ...moreFiles]);
  const serviceNames = [...new Set(services.map((service) => service.typeName))].sort();

  async function* converse<Request extends AnyRequest>(
    requests: AsyncIterable<Request>,
    signal: AbortSignal,
  ) {
    for await (const request of untilAborted(requests, signal)) {
      const messageResponse = answer(index, serviceNames, request.messageRequest);
      yield { validHost: request.host, originalRequest: request, messageResponse };
    }
  }

  router.service(ServerReflection, {
    serverReflectionInfo: (requests, { signal }) => converse(requests, signal),
  });
  router.service(ServerReflectionAlpha, {
    serverReflectionInfo: (requests, { signal }) => converse(requests, signal),
  });
}

function answer(
  index: DescriptorIndex,
  serviceNames: readonly string[],
  request: AnyRequest['messageRequest'],
): Answer {
  switch (request.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: serviceNames.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(index, index.fileByName(request.value), 'unknown file');
    case 'fileContainingSymbol':
      return fileAnswer(index, index.fileOfSymbol(request.value), 'unknown symbol');
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = request.value;
      return fileAnswer(index, index.fileOfExtension(containingType, extensionNumber), 'unknown extension');
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = index.extensionNumbers(request.value);
      if (!extensionNumber) return errorAnswer(Code.NotFound, 'unknown message type');
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: request.value, extensionNumber },
      };
    }
    default:
      // Also what a kind of request looks like that a later version of the protocol has and this one has not.
      return errorAnswer(Code.Unimplemented, 'no known kind of request is set');
  }
}

function fileAnswer(index: DescriptorIndex, file: DescFile | undefined, ifUnknown: string): Answer {
  if (!file) return errorAnswer(Code.NotFound, ifUnknown);
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: index.serialize(file) } };
}

// The name asked for is not quoted: original_request holds it.
function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/**
 * The requests until the call's signal aborts, which connect-es does not do by itself: a client that keeps its stream
 * open and sends nothing would outstay its deadline and hold up a server that is stopping.
 */
async function* untilAborted<T>(requests: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = requests[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await nextOrAbort(iterator, signal);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    // Not awaited: it settles after a next() that is still pending, which may be never.
    iterator.return?.().catch(() => {});
  }
}

function nextOrAbort<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Promise<IteratorResult<T>> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

function abortError(signal: AbortSignal): ConnectError {
  return signal.reason instanceof ConnectError
    ? signal.reason
    : new ConnectError('the call was cancelled', Code.Canceled);
}
