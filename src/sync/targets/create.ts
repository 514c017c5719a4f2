import type { SyncConfig } from '../../config.ts';
import type { Target } from '../target.ts';
import { TypesenseTarget } from './typesense.ts';
import { TypesenseClientTarget } from './typesense-client.ts';

/** The target that the configuration names; undefined where it names none. */
export function createTarget(
  config: SyncConfig,
  serviceName: string,
  onKeyRefresh: (outcome: 'ok' | 'failed') => void,
): Target | undefined {
  const { collection } = config;
  if (config.typesenseUrl !== '')
    return new TypesenseTarget({ url: config.typesenseUrl, apiKey: config.typesenseApiKey, collection });
  if (config.typesenseClientUrl === '') return undefined;
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
