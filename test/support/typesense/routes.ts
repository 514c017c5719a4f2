/** The routes that the double serves, by name. */
export type Route = (typeof ROUTES)[number]['name'];

/** A route, and the segments of its path that stand for something. */
export interface Matched {
  readonly route: Route;
  readonly names: Readonly<Record<string, string>>;
}

const ROUTES = [
  { name: 'health', method: 'GET', path: '/health' },
  { name: 'debug', method: 'GET', path: '/debug' },
  { name: 'status', method: 'GET', path: '/status' },
  { name: 'config', method: 'POST', path: '/config' },
  { name: 'multi-search', method: 'POST', path: '/multi_search' },
  { name: 'collections.create', method: 'POST', path: '/collections' },
  { name: 'collections.list', method: 'GET', path: '/collections' },
  { name: 'collections.get', method: 'GET', path: '/collections/:collection' },
  { name: 'collections.patch', method: 'PATCH', path: '/collections/:collection' },
  { name: 'collections.drop', method: 'DELETE', path: '/collections/:collection' },
  { name: 'aliases.list', method: 'GET', path: '/aliases' },
  { name: 'aliases.put', method: 'PUT', path: '/aliases/:alias' },
  { name: 'aliases.get', method: 'GET', path: '/aliases/:alias' },
  { name: 'aliases.delete', method: 'DELETE', path: '/aliases/:alias' },
  { name: 'import', method: 'POST', path: '/collections/:collection/documents/import' },
  { name: 'export', method: 'GET', path: '/collections/:collection/documents/export' },
  { name: 'search', method: 'GET', path: '/collections/:collection/documents/search' },
  { name: 'documents.write', method: 'POST', path: '/collections/:collection/documents' },
  { name: 'documents.patch-where', method: 'PATCH', path: '/collections/:collection/documents' },
  { name: 'documents.delete-where', method: 'DELETE', path: '/collections/:collection/documents' },
  { name: 'documents.get', method: 'GET', path: '/collections/:collection/documents/:id' },
  { name: 'documents.patch', method: 'PATCH', path: '/collections/:collection/documents/:id' },
  { name: 'documents.delete', method: 'DELETE', path: '/collections/:collection/documents/:id' },
] as const;

const PATTERNS = ROUTES.map(({ name, method, path }) => ({
  name,
  method,
  pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`),
}));

/** The route of a request; Typesense knows no 405, a wrong method is no route. */
export function match(method: string, path: string): Matched | undefined {
  for (const { name, method: wanted, pattern } of PATTERNS) {
    const groups = method === wanted ? pattern.exec(path)?.groups : undefined;
    if (groups !== undefined || (method === wanted && pattern.test(path)))
      return { route: name, names: decoded(groups ?? {}) };
  }
  return undefined;
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, unescaped(value)]));
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
