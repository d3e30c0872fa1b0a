import type { SecretSource } from '../../model/secret-source.ts';
import { notifiedEvents, type Integrations, type Notification } from '../../model/integrations.ts';
import type { ProjectFile } from '../schema/files.ts';
import { parseDuration } from '../schema/units.ts';
import { defaults } from './defaults.ts';

/** Returns who else hears of a project's operations, with every default filled in. */
export function resolveIntegrations({ hooks, notifications, github }: ProjectFile): Integrations {
  return {
    hooks: {
      timeout: (hooks?.timeout === undefined ? undefined : parseDuration(hooks.timeout)) ?? defaults.hookTimeout,
    },
    notifications: (notifications ?? []).map(resolveNotification),
    ...(github ? { github: resolveGitHub(github) } : {}),
  };
}

type Written<Key extends 'notifications' | 'github'> = NonNullable<ProjectFile[Key]>;

function resolveNotification(written: Written<'notifications'>[number]): Notification {
  const { url, format = 'json', secret, on, environments } = written;
  return {
    // The schema has checked that it has one source.
    url: url as Notification['url'],
    format,
    ...(secret ? { secret: secret as SecretSource } : {}),
    on: on ?? notifiedEvents.filter((event) => event !== 'refused'),
    ...(environments ? { environments } : {}),
  };
}

function resolveGitHub(written: Written<'github'>): NonNullable<Integrations['github']> {
  const [owner = '', name = ''] = written.repository.split('/');
  return {
    owner,
    name,
    baseUrl: (written.baseUrl ?? defaults.githubApi).replace(/\/+$/, ''),
    ...(written.token ? { token: written.token as SecretSource } : {}),
    urls: written.urls ?? {},
    releases: written.releases ?? false,
    approvers: written.approvers ?? {},
  };
}
