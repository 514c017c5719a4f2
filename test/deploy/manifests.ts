import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';

export const FOLDER = new URL('../../deploy/kubernetes/', import.meta.url).pathname;

/** The models of what the manifests hold, each with the module that has its type. */
export const MODELS = {
  Deployment: [Deployment, 'kubernetes-models/apps/v1/Deployment'],
  Job: [Job, 'kubernetes-models/batch/v1/Job'],
  PodDisruptionBudget: [PodDisruptionBudget, 'kubernetes-models/policy/v1/PodDisruptionBudget'],
  Secret: [Secret, 'kubernetes-models/v1/Secret'],
  Service: [Service, 'kubernetes-models/v1/Service'],
  ServiceMonitor: [
    ServiceMonitor,
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor',
  ],
} as const;

export type Kind = keyof typeof MODELS;

/** A document of a manifest. */
export interface Manifest {
  readonly file: string;
  readonly kind: Kind;
  readonly content: { readonly metadata: { readonly name: string } };
}

/** Every document of every file but the kustomization. */
export function readManifests(): Manifest[] {
  return readdirSync(FOLDER)
    .filter((file) => file !== 'kustomization.yaml')
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => {
        const content = document.toJS();
        return { file, kind: content.kind, content };
      }),
    );
}
