import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import type { WaitOptions } from '../domain/pending-write.ts';
import type { Reader } from '../domain/reader.ts';
import type { Writer } from '../domain/writer.ts';
import { untilAborted } from '../util/abort.ts';
import { CALLER } from './auth/caller.ts';
import { CALL, signalOf } from './call.ts';
import {
  fromElementAnswer,
  fromElementRead,
  fromMovedElements,
  fromRevisions,
  fromShiftedRange,
  fromVersionRead,
  toContent,
  toRequestId,
  toRevision,
  toSequenceKey,
  toTarget,
} from './convert.ts';

/**
 * The methods of `fountain.sequence.v1.SequenceService`: validated message in, domain, message out. What each
 * means, and its limits and errors, stands in the contract.
 */
export function createSequenceService(writer: Writer, reader: Reader): ServiceImpl<typeof SequenceService> {
  return {
    async generate(request, context) {
      const sequence = toSequenceKey(request);
      const answer = await writer.submit(
        {
          kind: 'generate',
          ...common(request, sequence, context),
          elementId: Number(request.elementId),
          content: toContent(request.content),
          target: toTarget(request.target),
          expectedRevision: toRevision(request.expectedRevision),
        },
        waitOf(context),
      );
      return {
        sequenceNumber: answer.element.sequenceNumber,
        comment: answer.element.comment,
        ...fromRevisions(answer),
        element: fromElementAnswer(sequence, answer.element),
      };
    },

    async batchGenerate(request, context) {
      const sequence = toSequenceKey(request);
      const answer = await writer.submit(
        {
          kind: 'batch_generate',
          ...common({ requestId: request.requestId, comment: '' }, sequence, context),
          items: request.items.map((item) => ({
            elementId: Number(item.elementId),
            comment: item.comment,
            content: toContent(item.content),
          })),
          expectedRevision: toRevision(request.expectedRevision),
        },
        waitOf(context),
      );
      return {
        ...fromRevisions(answer),
        elements: answer.elements.map((element) => fromElementAnswer(sequence, element)),
      };
    },

    async reorder(request, context) {
      const answer = await writer.submit(
        {
          kind: 'reorder',
          ...common(request, toSequenceKey(request), context),
          newOrder: request.newOrder.map(Number),
          expectedRevision: toRevision(request.expectedRevision),
        },
        waitOf(context),
      );
      return {
        ...fromRevisions(answer),
        comment: answer.comment,
        reorderedElements: fromMovedElements(answer.moved),
      };
    },

    async move(request, context) {
      const answer = await writer.submit(
        {
          kind: 'move',
          ...common(request, toSequenceKey(request), context),
          elementId: Number(request.elementId),
          // Validation has refused a request without a target.
          target: toTarget(request.target)!,
          expectedRevision: toRevision(request.expectedRevision),
        },
        waitOf(context),
      );
      return {
        ...fromRevisions(answer),
        oldSequenceNumber: answer.oldSequenceNumber,
        newSequenceNumber: answer.newSequenceNumber,
        ...fromShiftedRange(answer.shifted),
      };
    },

    async createVersion(request, context) {
      const { versionNumber, comment, sequenceNumber, ...revisions } = await writer.submit(
        {
          kind: 'create_version',
          ...common(request, toSequenceKey(request), context),
          elementId: Number(request.elementId),
          content: toContent(request.content),
          expectedVersion: request.expectedVersion,
        },
        waitOf(context),
      );
      return { ...fromRevisions(revisions), versionNumber, comment, sequenceNumber };
    },

    async remove(request, context) {
      const answer = await writer.submit(
        {
          kind: 'remove',
          ...common(request, toSequenceKey(request), context),
          elementId: Number(request.elementId),
          expectedRevision: toRevision(request.expectedRevision),
        },
        waitOf(context),
      );
      return {
        ...fromRevisions(answer),
        oldSequenceNumber: answer.oldSequenceNumber,
        ...fromShiftedRange(answer.shifted),
      };
    },

    async getElement(request, context) {
      const sequence = toSequenceKey(request);
      const read = await untilAborted(
        reader.getElement(sequence, Number(request.elementId)),
        signalOf(context),
      );
      return { element: fromElementRead(sequence, read) };
    },

    async getVersion(request, context) {
      const sequence = toSequenceKey(request);
      const read = await untilAborted(
        reader.getVersion(sequence, Number(request.elementId), request.versionNumber),
        signalOf(context),
      );
      return { version: fromVersionRead(read) };
    },

    async listElements(request, context) {
      const sequence = toSequenceKey(request);
      const page = await untilAborted(
        reader.listElements(sequence, request.startSequenceNumber, request),
        signalOf(context),
      );
      return {
        ...fromRevisions(page),
        elements: page.elements.map((element) => fromElementRead(sequence, element)),
        nextPageToken: page.nextPageToken,
        totalSize: page.size,
      };
    },

    async listVersions(request, context) {
      const page = await untilAborted(
        reader.listVersions(toSequenceKey(request), Number(request.elementId), request),
        signalOf(context),
      );
      return { versions: page.versions.map(fromVersionRead), nextPageToken: page.nextPageToken };
    },

    async getSequence(request, context) {
      const read = await untilAborted(reader.getSequence(toSequenceKey(request)), signalOf(context));
      return { ...fromRevisions(read), size: read.size, nextSequenceNumber: read.size + 1 };
    },
  };
}

function common(
  request: { requestId: string; comment: string },
  sequence: ReturnType<typeof toSequenceKey>,
  context: HandlerContext,
) {
  return {
    sequence,
    caller: context.values.get(CALLER).name,
    requestId: toRequestId(request.requestId),
    comment: request.comment,
  };
}

function waitOf(context: HandlerContext): WaitOptions {
  return context.values.get(CALL)!;
}
