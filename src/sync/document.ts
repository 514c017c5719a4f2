import type { DocumentState, DueDocument } from '../db/queries/sync.ts';
import { ELEMENT_TYPES, type ElementType } from '../domain/model.ts';

/** What the search index holds for one version of one element. */
export interface IndexDocument {
  readonly id: string;
  readonly scope: string;
  readonly element_type: string;
  readonly element_id: number;
  readonly sequence_number: number;
  readonly version_number: number;
  readonly comment: string;
  /** As the caller gave it; not declared in the schema, so that two scopes cannot disagree about a field's type. */
  readonly content?: unknown;
  /** The string leaves of the content, a line each: what is searched. */
  readonly text: string;
  readonly is_latest: boolean;
  readonly service_name: string;
  /** The resync that the index was built by. */
  readonly sync_generation: number;
  /** When the version was made, milliseconds since the epoch. */
  readonly updated_at: number;
}

/** The fields that the collection declares, by Typesense's types; the order is that of {@link IndexDocument}. */
export const COLLECTION_FIELDS = [
  { name: 'scope', type: 'string', facet: true },
  { name: 'element_type', type: 'string', facet: true },
  { name: 'element_id', type: 'int64' },
  { name: 'sequence_number', type: 'int32' },
  { name: 'version_number', type: 'int32' },
  { name: 'comment', type: 'string' },
  { name: 'text', type: 'string' },
  { name: 'is_latest', type: 'bool', facet: true },
  { name: 'service_name', type: 'string', facet: true },
  { name: 'sync_generation', type: 'int64' },
  { name: 'updated_at', type: 'int64' },
] as const;

/** What names a document. */
export interface DocumentName {
  readonly scope: string;
  readonly elementType: ElementType;
  readonly elementId: number;
  readonly versionNumber: number;
}

/** The id of a document: `{scope}_{elementType}_{elementId}_{version}`. */
export function documentId(name: DocumentName): string {
  return `${name.scope}_${name.elementType}_${name.elementId}_${name.versionNumber}`;
}

const ID = new RegExp(
  `^([A-Za-z0-9._-]{1,64})_(${ELEMENT_TYPES.join('|')})_([1-9]\\d{0,15})_([1-9]\\d{0,9})$`,
);

/** What an id names; undefined where it is none. Unambiguous, since no element type or number has an underscore. */
export function parseDocumentId(id: string): DocumentName | undefined {
  const [, scope, elementType, elementId, versionNumber] = ID.exec(id) ?? [];
  if (scope === undefined) return undefined;
  return {
    scope,
    elementType: elementType as ElementType,
    elementId: Number(elementId),
    versionNumber: Number(versionNumber),
  };
}

/** What documents are made with, beside the database's word. */
export interface DocumentContext {
  readonly serviceName: string;
  readonly generation: number;
}

/**
 * The JSON of the document that the database implies, on one line; it is read as an {@link IndexDocument}. The content
 * goes in as it is stored, which is canonical JSON; scope and type need no quoting.
 */
export function documentJson(due: DueDocument, state: DocumentState, context: DocumentContext): string {
  const { content, comment } = state;
  return `{"id":"${documentId(due)}","scope":"${due.scope}","element_type":"${due.elementType}","element_id":${
    due.elementId
  },"sequence_number":${state.sequenceNumber},"version_number":${due.versionNumber},"comment":${
    comment === '' ? '""' : JSON.stringify(comment)
  },${content === null ? '"text":""' : `"content":${content},"text":${JSON.stringify(textOf(content))}`},"is_latest":${
    state.isLatest
  },"service_name":${JSON.stringify(context.serviceName)},"sync_generation":${
    context.generation
  },"updated_at":${Math.floor(state.createTime / 1000)}}`;
}

function textOf(content: string): string {
  const leaves: string[] = [];
  collectStrings(JSON.parse(content), leaves);
  return leaves.join('\n');
}

function collectStrings(value: unknown, leaves: string[]): void {
  if (typeof value === 'string') leaves.push(value);
  else if (Array.isArray(value)) for (const item of value) collectStrings(item, leaves);
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) collectStrings(item, leaves);
}
