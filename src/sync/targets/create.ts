import type { SyncConfig } from '../../config.ts';
import type { Target } from '../target.ts';

/** The target that the configuration names; undefined where it names none. Only what it needs is loaded. */
export async function createTarget(
  config: SyncConfig,
  serviceName: string,
  onKeyRefresh: (outcome: 'ok' | 'failed') => void,
): Promise<Target | undefined> {
  const { collection } = config;
  if (config.typesenseUrl !== '') {
    const { TypesenseTarget } = await import('./typesense.ts');
    return new TypesenseTarget({ url: config.typesenseUrl, apiKey: config.typesenseApiKey, collection });
  }
  if (config.typesenseClientUrl === '') return undefined;
  const { TypesenseClientTarget } = await import('./typesense-client.ts');
  return new TypesenseClientTarget({
    url: config.typesenseClientUrl,
    collection,
    concurrency: config.concurrency,
    key: config.typesenseServiceApiKey || undefined,
    managementUrl: config.keyManagementUrl || undefined,
    adminToken: config.adminToken || undefined,
    serviceName,
    onRefresh: onKeyRefresh,
  });
}
