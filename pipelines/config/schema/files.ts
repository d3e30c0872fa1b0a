/*
 * The two kinds of files as a user writes them. Nothing is filled in here: an environment's file is laid over
 * lockage.yaml first, and only what both leave open gets its default (defaults.ts).
 */
import * as z from 'zod';
import { isEmbedded } from '../../model/embedded.ts';
import { breakableGates } from '../../model/gate.ts';
import { traitNames } from '../../model/host-traits.ts';
import { didYouMean } from '../../text/suggest.ts';
import { environmentEdge, projectEdge } from './edge.ts';
import { approvals, evidence } from './evidence.ts';
import { freeze } from './freeze.ts';
import { keys } from './keys.ts';
import { github, hooks, notifications } from './integrations.ts';
import { accessories, roles, secrets } from './roles.ts';
import { targets } from './targets.ts';
import { verification } from './verification.ts';
import {
  command,
  describe,
  duration,
  env,
  expected,
  integer,
  list,
  mapping,
  name,
  secretNames,
  text,
  variable,
} from './values.ts';

const watch = duration('10s', '0s', '24h').meta({
  description: 'How long a release is watched after the switch, before it is recorded. Default 10s.',
});
const soak = duration('2h', '0s', '8760h').meta({
  description: 'How long a release has to have run well in each environment before this one. Default 0s.',
});
const breakable = z.enum(breakableGates, {
  error: (issue) => `expected one of ${breakableGates.join(', ')}${didYouMean(String(issue.input), breakableGates)}`,
});
const breakGlass = list(breakable, 'gates').meta({
  description: 'The gates that `promote --break-glass REASON` passes. Default: none.',
});
const standby = integer('a number of releases', 0, 10).meta({
  description: 'How many earlier releases are kept ready for a rollback. Default 1.',
});

const secretsAt = z.enum(['disk', 'memory'], { error: expected('disk or memory') }).meta({
  description: 'memory: the secrets are lost when a host or its Docker Engine is restarted. Default disk.',
});

const trait = z.enum(traitNames, {
  error: (issue) => `expected one of ${traitNames.join(', ')}${didYouMean(String(issue.input), traitNames)}`,
});
const same = list(trait, 'what hosts have in common').meta({
  description:
    'In what the hosts have to be like each other and like those before them; else nothing is promoted there.',
});

const promote = z.enum(['auto', 'manual'], { error: expected('auto or manual') }).meta({
  description: 'auto: `lockage pipeline run` promotes here whatever passes the gates. Default manual.',
});

const pulling = mapping({
  through: z
    .enum(['network', 'ssh'], { error: expected('network or ssh') })
    .optional()
    .meta({
      description: 'ssh: hosts get images from this computer, over its ssh connection to them. Default network.',
    }),
}).meta({ description: 'How the hosts reach the registries that their images come from.' });

const ssh = mapping({
  config: z
    .union([z.boolean(), text('a file')], { error: expected('true, false or a file such as ssh_config') })
    .optional()
    .meta({
      description: 'true: ~/.ssh/config and the one of the computer. A file: that one, relative to lockage.yaml.',
    }),
}).meta({ description: 'What is read for hosts with ssh://: aliases, jumps, agents. Default: nothing.' });

const repositoryPattern =
  /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)+$/;
const repository = z
  .string({ error: expected('a repository such as registry.example.com/shop') })
  .regex(repositoryPattern, { error: (issue) => repositoryMessage(String(issue.input)), abort: true })
  .refine((value) => isRegistry(value.split('/')[0] ?? ''), {
    error: 'names no registry: write it as registry.example.com/shop',
    abort: true,
  })
  .refine((value) => !isEmbedded(value), { error: 'is the embedded registry: leave `repository` out for that one' });

/** Returns why a text is no repository that can be configured; undefined when it is one. */
export function repositoryProblem(written: string): string | undefined {
  return repository.safeParse(written).error?.issues[0]?.message;
}

const registryMessage = expected('host:port of a registry, as 10.0.0.1:5000');
const registry = z
  .string({ error: registryMessage })
  .regex(/^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?$/, { error: registryMessage });

function isRegistry(part: string): boolean {
  return part === 'localhost' || part.includes('.') || part.includes(':');
}

function repositoryMessage(value: string): string {
  if (/^\w+:\/\//.test(value))
    return `expected a repository without ${value.split('://')[0]}://, as registry.example.com/shop`;
  if (value.includes('@')) return 'expected a repository without a digest';
  if (/:[^/]*$/.test(value) && value.includes('/'))
    return 'expected a repository without a tag: releases are pushed under their version';
  if (/[A-Z]/.test(value)) return 'expected a repository in lower-case letters';
  if (isRegistry(value)) return `names a registry without a repository: write ${value}/NAME`;
  return `expected a repository such as registry.example.com/shop, got ${describe(value)}`;
}

const pipelineEntry = z.union(
  [
    name,
    mapping({
      name,
      after: list(name, 'environments').optional().meta({ description: 'Environments a release must have passed.' }),
    }),
  ],
  { error: expected('the name of an environment') },
);

/** What IPv6 asks of every network. */
export const leastMtu = 1280;

const network = mapping({
  mtu: integer('a number of bytes', leastMtu, 65_535).meta({
    description: 'The largest packet on the networks between containers, as hosts behind a VPN need less than 1500.',
  }),
}).meta({ description: 'The networks that are made for its containers.' });

/** What may be said for all environments, or for one. */
const inBoth = {
  env: env.optional(),
  secrets: secrets.optional(),
  secretsAt: secretsAt.optional(),
  watch: watch.optional(),
  soak: soak.optional(),
  freeze: freeze.optional(),
  promote: promote.optional(),
  verification: verification.optional(),
  evidence: evidence.optional(),
  approvals: approvals.optional(),
  breakGlass: breakGlass.optional(),
  standby: standby.optional(),
  same: same.optional(),
  registry: pulling.optional(),
  ssh: ssh.optional(),
  network: network.optional(),
};

const platform = z
  .string({ error: expected('a platform such as linux/amd64') })
  .regex(/^linux\/[a-z0-9]+(?:\/v\d)?$/, { error: expected('a platform such as linux/amd64') });

/** lockage.yaml: the application and what its environments have in common. */
export const projectFile = mapping({
  app: name.meta({ description: 'Name of the application.' }),
  repository: repository
    .optional()
    .meta({ description: 'Where releases are pushed, without a tag. Default: a registry on this computer.' }),
  backend: z
    .string({ error: expected('a Pulumi backend URL') })
    .regex(/^(?:file|s3|gs|azblob|postgres|https?):\/\/[^\s]+$/, {
      error: 'expected a Pulumi backend URL: file://, s3://, gs://, azblob://, postgres:// or https://',
    })
    .refine((url) => !/^\w+:\/\/[^/@]*:[^/]*@|[?&][^=&]*password=/i.test(url), {
      error: 'has a password in it: give it to Pulumi by a variable, as PGPASSWORD',
    })
    .optional()
    .meta({ description: 'Where state is kept: any Pulumi backend URL. Default file://.lockage/state.' }),
  auditLog: z
    .string({ error: expected('a folder, as file:///mnt/team/lockage') })
    .regex(/^file:\/\/[^\s]+$/, { error: 'expected a folder, as file:///mnt/team/lockage' })
    .optional()
    .meta({ description: 'A folder that all operators share, for the audit log. Default: that of the backend.' }),
  build: mapping({
    context: text('a folder').optional().meta({ description: 'Relative to this file. Default: its folder.' }),
    dockerfile: text('a file').optional().meta({ description: 'Default Dockerfile.' }),
    args: z
      .record(variable, z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' }), {
        error: expected('a mapping of build arguments'),
      })
      .optional(),
    platform: platform.optional(),
    platforms: list(platform, 'platforms')
      .min(1, { error: 'expected at least one platform' })
      .optional()
      .meta({ description: 'Several in one release: each host gets its own.' }),
  })
    .refine(({ platform: one, platforms }) => one === undefined || platforms === undefined, {
      error: 'has both platform and platforms: keep one',
    })
    .optional(),
  insecureRegistries: list(registry, 'registries')
    .optional()
    .meta({ description: 'Registries without TLS, as 10.0.0.1:5000. Loopback addresses need not be listed.' }),
  edge: projectEdge.optional(),
  keys: keys.optional(),
  pipeline: list(pipelineEntry, 'environments')
    .min(1, { error: 'expected at least one environment' })
    .optional()
    .meta({ description: 'The environments in order. A plain name comes after the entry before it.' }),
  roles: roles.optional(),
  accessories: accessories.optional(),
  migration: mapping({
    command: command.meta({ description: 'Run once per environment and release, before its containers are started.' }),
    timeout: duration('5m', '1s', '24h').optional().meta({ description: 'Default 5m.' }),
    env: env.optional(),
    secrets: secretNames.optional(),
    dump: list(name, 'accessories')
      .optional()
      .meta({ description: 'Accessories whose data are written to a file before it runs.' }),
    keep: integer('a number of dumps', 1, 100)
      .optional()
      .meta({ description: 'How many dumps of each accessory are kept. Default 3.' }),
  }).optional(),
  schema: integer('a number', 0, 1_000_000_000)
    .optional()
    .meta({ description: 'The schema that the migration of the next release brings data to: higher for each change.' }),
  compatible: integer('a number', 0, 1_000_000_000)
    .optional()
    .meta({ description: 'The oldest schema whose code runs with it. Default: only its own.' }),
  hooks: hooks.optional(),
  notifications: notifications.optional(),
  github: github.optional(),
  ...inBoth,
}).meta({ title: 'lockage.yaml', description: 'The application and what its environments have in common.' });

/** environments/NAME.yaml: where one environment runs, and what differs there. */
export const environmentFile = mapping({
  targets: targets.meta({
    description: 'The hosts, a Docker Swarm, or the machines that the environment makes for itself.',
  }),
  roles: roles.optional().meta({ description: 'Merged over the roles of lockage.yaml, key by key.' }),
  accessories: accessories.optional().meta({ description: 'Merged over the accessories of lockage.yaml, key by key.' }),
  edge: environmentEdge.optional().meta({ description: 'Merged over that of lockage.yaml, key by key.' }),
  ...inBoth,
}).meta({ title: 'environments/NAME.yaml', description: 'Where one environment runs, and what differs there.' });

export type ProjectFile = z.output<typeof projectFile>;
export type EnvironmentFile = z.output<typeof environmentFile>;
