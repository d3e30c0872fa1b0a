import * as z from 'zod';
import { capabilities } from './capabilities.ts';
import { namePattern, nameRule } from './names.ts';
import { openPortProblem, settingProblems, urlProblem } from './targets.ts';
import { durationPattern, parseDuration, parseSize, sizePattern } from './units.ts';
import { traitNames } from '../parity.ts';
import { didYouMean } from '../suggest.ts';

/*
 * The two kinds of files as a user writes them. Nothing is filled in here: an environment's file is laid over
 * lockage.yaml first, and only what both leave open gets its default (defaults.ts).
 */

// Compiling a schema costs more than reading the few files of one command with it.
z.config({ jitless: true });

const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

type Refusal = { readonly input?: unknown };

const expected = (what: string) => (issue: Refusal) => instead(what, issue.input);

/** That something else was expected in place of a value. */
function instead(what: string, value: unknown): string {
  return value === undefined ? `is missing: expected ${what}` : `expected ${what}, got ${describe(value)}`;
}

/** What a value is, for a message: short plain values as they are, anything longer by its kind. */
function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return value.length > 40 ? `${value.length} characters of text` : JSON.stringify(value);
}

/** A mapping with these keys and no others; each unknown key becomes one line of the message. */
function mapping<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `unknown key${didYouMean(key, Object.keys(shape))}`).join('\n')
        : instead('a mapping', issue.input),
  });
}

export const name = z
  .string({ error: expected('a name') })
  .regex(namePattern, { error: (issue) => instead(`a name of ${nameRule}`, issue.input) });

const variableMessage = 'expected a variable name of letters, digits and _';
const variable = z.string({ error: variableMessage }).regex(variablePattern, { error: variableMessage });

const text = (what: string) => z.string({ error: expected(what) }).min(1, { error: `expected ${what}, got nothing` });

const integer = (what: string, minimum: number, maximum: number) => {
  const error = expected(`${what} from ${minimum} to ${maximum}`);
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
};

const port = integer('a port', 1, 65535);

const duration = (example: string, minimum: string, maximum: string) => {
  const [least, most] = [parseDuration(minimum) ?? 0, parseDuration(maximum) ?? 0];
  const error = expected(`a duration such as ${example}`);
  return z
    .string({ error })
    .regex(durationPattern, { error, abort: true })
    .refine((value) => inside(parseDuration(value), least, most), {
      error: expected(`a duration from ${minimum} to ${maximum}`),
    });
};

const size = (example: string, minimum: string, maximum: string) => {
  const [least, most] = [parseSize(minimum) ?? 0, parseSize(maximum) ?? 0];
  const error = expected(`a size such as ${example} or 1GiB`);
  return z
    .string({ error })
    .regex(sizePattern, { error, abort: true })
    .refine((value) => inside(parseSize(value), least, most), {
      error: expected(`a size from ${minimum} to ${maximum}`),
    });
};

function inside(value: number | undefined, least: number, most: number): boolean {
  return value !== undefined && value >= least && value <= most;
}

const command = z
  .array(z.string({ error: expected('a word (quote numbers)') }), { error: (issue) => listMessage(issue.input) })
  .min(1, { error: 'expected at least one word' })
  .refine((words) => words.length === 0 || words[0] !== '', { error: 'starts with an empty word' });

function listMessage(value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '') return instead('a list of words, as [node, server.mjs]', value);
  const words = /["'`$|&;<>(){}*?~#\\,[\]:]/.test(value)
    ? ['sh', '-c', JSON.stringify(value)]
    : value.trim().split(/\s+/);
  return `expected a list of words: write [${words.join(', ')}]`;
}

const list = <Item extends z.core.SomeType>(item: Item, what: string) =>
  z.array(item, { error: expected(`a list of ${what}`) });

const env = z
  .record(
    variable,
    z.union([z.string(), z.number(), z.boolean()], { error: 'expected text: write "" for an empty value' }),
    {
      error: expected('a mapping of variables'),
    },
  )
  .meta({
    description: 'Environment variables. Not for secrets: these are visible to whoever may inspect the container.',
  });

const secretNames = list(variable, 'secret names').meta({
  description: 'Names of the secrets it gets as files in /run/secrets.',
});

const absolutePath = z
  .string({ error: expected('a path') })
  .regex(/^\/(?:[^/]+(?:\/[^/]+)*)?$/, { error: expected('an absolute path') })
  .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), {
    error: 'expected a path without . and ..',
  });

const hosts = list(name, 'host names').min(1, { error: 'expected at least one host name' });

const healthFields = {
  interval: duration('100ms', '10ms', '1m').optional().meta({ description: 'Between two checks. Default 100ms.' }),
  healthy: integer('a number', 1, 100).optional().meta({ description: 'Successes in a row. Default 3.' }),
  timeout: duration('60s', '1s', '1h').optional().meta({ description: 'For all of it. Default 60s.' }),
};

const health = mapping({
  path: z
    .string({ error: expected('a path such as /healthz') })
    .regex(/^\/[!-~]*$/, { error: expected('a path such as /healthz') })
    .optional()
    .meta({ description: 'Asked by HTTP; an answer from 200 to 399 is a success.' }),
  port: port.optional().meta({ description: "Where path is asked. Default: the role's port." }),
  command: command.optional().meta({ description: 'Run in the container; exit code 0 is a success.' }),
  running: duration('5s', '1s', '10m').optional().meta({ description: 'No check: it has to stay up that long.' }),
  ...healthFields,
}).meta({ description: 'How a new container proves that it works: one of path, command and running.' });

const limits = mapping({
  memory: size('256MiB', '6MiB', '64TiB').optional().meta({ description: 'Default 256MiB.' }),
  cpus: z
    .number({ error: expected('a number of CPUs such as 0.5') })
    .min(0.01, { error: expected('a number of CPUs from 0.01 to 1024') })
    .max(1024, { error: expected('a number of CPUs from 0.01 to 1024') })
    .optional()
    .meta({ description: 'Default 1.' }),
  pids: integer('a number of processes', 1, 4_194_304)
    .optional()
    .meta({ description: 'Processes and threads. Default 256.' }),
  files: integer('a number of open files', 16, 1_048_576).optional().meta({ description: 'Open files. Default 4096.' }),
  log: size('10MiB', '64KiB', '1TiB').optional().meta({ description: 'Log kept per container. Default 10MiB.' }),
});

const reason = text('the reason for it').meta({ description: 'Recorded with each revision.' });

const needsReason = (example: string) => (issue: Refusal) =>
  `expected { value: ${example}, reason: why }, as an exception needs a reason, got ${describe(issue.input)}`;

/** A switch whose safe position may be written plainly and whose other one needs a reason. */
const guarded = (safe: boolean) =>
  z.union([z.literal(safe), mapping({ value: z.boolean({ error: expected('true or false') }), reason })], {
    error: needsReason(String(!safe)),
  });

const capability = z.enum(capabilities, {
  error: (issue) => {
    const written = String(issue.input).toUpperCase();
    const prefixed = `CAP_${written}`;
    const known: readonly string[] = capabilities;
    return known.includes(prefixed)
      ? `unknown capability, did you mean ${prefixed}?`
      : `unknown capability${didYouMean(written, known)}`;
  },
});

const userMessage = expected('a numeric user as "1000:1000"');

const hardening = mapping({
  readOnly: guarded(true).optional().meta({ description: "The image's files cannot be written. Default true." }),
  tmpfs: z
    .record(absolutePath, size('16MiB', '4KiB', '1TiB'), { error: expected('a mapping of paths to sizes') })
    .optional()
    .meta({ description: 'Writable folders in memory. /tmp with 16MiB is always there.' }),
  capabilities: z
    .union(
      [
        z.array(capability).max(0, { error: needsReason('[CAP_NET_BIND_SERVICE]') }),
        mapping({ value: list(capability, 'capabilities'), reason }),
      ],
      {
        error: needsReason('[CAP_NET_BIND_SERVICE]'),
      },
    )
    .optional()
    .meta({ description: 'Capabilities given back. Default none.' }),
  noNewPrivileges: guarded(true).optional().meta({ description: 'Default true.' }),
  user: z
    .union([z.int().min(0).max(4_294_967_294), z.string().regex(/^\d{1,10}(?::\d{1,10})?$/, { error: userMessage })], {
      error: userMessage,
    })
    .optional()
    .meta({ description: "uid or uid:gid. Default: the image's own user, which must not be root." }),
  allowRoot: guarded(false).optional().meta({ description: 'Default false.' }),
});

const role = mapping({
  command: command.optional().meta({ description: "Replaces the image's command." }),
  port: port
    .optional()
    .meta({ description: 'The port its containers listen on. Without it the role gets no traffic.' }),
  publish: port.optional().meta({ description: "The port on the host's edge proxy. Default 80." }),
  health: health.optional(),
  count: integer('a number of containers', 1, 100)
    .optional()
    .meta({ description: 'Containers per host; on a swarm, replicas over all nodes. Default 1.' }),
  hosts: hosts.optional().meta({ description: 'Names of the targets it runs on. Default all. Not on a swarm.' }),
  env: env.optional(),
  secrets: secretNames.optional(),
  limits: limits.optional(),
  hardening: hardening.optional(),
  stop: duration('10s', '0s', '1h').optional().meta({ description: 'Between TERM and KILL. Default 10s.' }),
}).meta({ description: 'One process kind of the release.' });

const imagePattern =
  /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/;
const image = z
  .string({ error: expected('an image such as postgres:16') })
  .regex(imagePattern, { error: expected('an image such as postgres:16') });

const accessory = mapping({
  image: image.optional().meta({ description: 'Another image is used at the next promotion; the volumes stay.' }),
  host: name.optional().meta({ description: 'Name of the target it runs on. Default: the first.' }),
  command: command.optional(),
  port: port.optional().meta({ description: 'Containers find it as NAME_HOST and NAME_PORT.' }),
  volumes: z
    .record(name, absolutePath, { error: expected('a mapping of volume names to paths') })
    .optional()
    .meta({ description: 'Volume name to path in the container.' }),
  env: env.optional(),
  secrets: secretNames.optional(),
  health: mapping({
    command: command.optional().meta({ description: 'Run in the container; exit code 0 is a success.' }),
    timeout: healthFields.timeout,
  }).optional(),
  limits: mapping({
    memory: limits.shape.memory.meta({ description: 'Default 512MiB.' }),
    cpus: limits.shape.cpus,
  }).optional(),
}).meta({
  description: 'A stateful neighbour, such as a database. Promotions leave it alone unless its configuration changes.',
});

const secretSourceMessage = 'has no source: write { env: NAME }, { file: path } or { command: [program, argument] }';
const secretSource = z
  .strictObject(
    {
      env: variable.optional().meta({ description: "A variable of the operator's environment." }),
      file: text('a path').optional().meta({ description: 'A file, relative to lockage.yaml.' }),
      command: command.optional().meta({ description: 'A program that prints it; run without a shell.' }),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => `unknown key${didYouMean(key, ['env', 'file', 'command'])}`).join('\n')
          : secretSourceMessage,
    },
  )
  .refine((source) => Object.keys(source).length > 0, { error: secretSourceMessage })
  .refine((source) => Object.keys(source).length < 2, {
    error: 'has more than one source: keep one of env, file and command',
  });

const roles = z.record(name, role, { error: expected('a mapping of roles') });
const accessories = z.record(name, accessory, { error: expected('a mapping of accessories') });
const secrets = z
  .record(variable, secretSource, { error: expected('a mapping of secrets to their sources') })
  .meta({ description: "Where each secret's value comes from when a command needs it." });
const watch = duration('10s', '0s', '24h').meta({
  description: 'How long a release is watched after the switch, before it is recorded. Default 10s.',
});
const standby = integer('a number of releases', 0, 10).meta({
  description: 'How many earlier releases are kept ready for a rollback. Default 1.',
});

const trait = z.enum(traitNames, {
  error: (issue) => `expected one of ${traitNames.join(', ')}${didYouMean(String(issue.input), traitNames)}`,
});
const same = list(trait, 'what hosts have in common').meta({
  description:
    'In what the hosts have to be like each other and like those before them; else nothing is promoted there.',
});

const pulling = mapping({
  through: z
    .enum(['network', 'ssh'], { error: expected('network or ssh') })
    .optional()
    .meta({
      description: 'ssh: hosts get images from this computer, over its ssh connection to them. Default network.',
    }),
}).meta({ description: 'How the hosts reach the registries that their images come from.' });

const repositoryPattern =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)+$/;
const repository = z
  .string({ error: expected('a repository such as registry.example.com/shop') })
  .regex(repositoryPattern, { error: (issue) => repositoryMessage(String(issue.input)), abort: true })
  .refine((value) => isRegistry(value.split('/')[0] ?? ''), {
    error: 'names no registry: write it as registry.example.com/shop',
  });

const registryMessage = expected('host:port of a registry, as 10.0.0.1:5000');
const registry = z
  .string({ error: registryMessage })
  .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/, { error: registryMessage });

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

/** lockage.yaml: the application and what its environments have in common. */
export const projectFile = mapping({
  app: name.meta({ description: 'Name of the application.' }),
  repository: repository.meta({ description: 'Where releases are pushed, without a tag.' }),
  backend: z
    .string({ error: expected('a Pulumi backend URL') })
    .regex(/^(?:file|s3|gs|azblob|postgres|https?):\/\/[^\s]+$/, {
      error: 'expected a Pulumi backend URL: file://, s3://, gs://, azblob://, postgres:// or https://',
    })
    .optional()
    .meta({ description: 'Where state is kept: any Pulumi backend URL. Default file://.lockage/state.' }),
  build: mapping({
    context: text('a folder').optional().meta({ description: 'Relative to this file. Default: its folder.' }),
    dockerfile: text('a file').optional().meta({ description: 'Default Dockerfile.' }),
    args: z
      .record(variable, z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' }), {
        error: expected('a mapping of build arguments'),
      })
      .optional(),
    platform: z
      .string({ error: expected('a platform such as linux/amd64') })
      .regex(/^linux\/[a-z0-9]+(?:\/v\d)?$/, { error: expected('a platform such as linux/amd64') })
      .optional(),
  }).optional(),
  insecureRegistries: list(registry, 'registries')
    .optional()
    .meta({ description: 'Registries without TLS, as 10.0.0.1:5000. Loopback addresses need not be listed.' }),
  edge: mapping({ image: image.optional().meta({ description: 'Default caddy:2.' }) }).optional(),
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
  }).optional(),
  env: env.optional(),
  secrets: secrets.optional(),
  watch: watch.optional(),
  standby: standby.optional(),
  same: same.optional(),
  registry: pulling.optional(),
}).meta({ title: 'lockage.yaml', description: 'The application and what its environments have in common.' });

const targetUrl = text('a URL such as ssh://deploy@web-1.example.com')
  .refine((url) => url === '' || urlProblem(url) === undefined, {
    error: (issue) => urlProblem(String(issue.input)) ?? '',
  })
  .meta({ description: 'unix:///path, ssh://user@host:port, or tcp://host:port with tls.' });

const plainTarget = targetUrl.refine((url) => urlProblem(url) !== undefined || openPortProblem(url) === undefined, {
  error: (issue) => openPortProblem(String(issue.input)) ?? '',
});

const tls = mapping({
  ca: text('the PEM file of the CA').meta({
    description: "Who signed the host's certificate. Nobody else is trusted.",
  }),
  cert: text('the PEM file of the client certificate').meta({ description: 'Client certificate.' }),
  key: text('the PEM file of its private key').meta({ description: 'Private key of the client certificate.' }),
}).meta({ description: 'For tcp://: PEM files, relative to lockage.yaml. All three are needed.' });

const target = z.union(
  [
    plainTarget,
    mapping({
      name: name.optional().meta({ description: 'Default: first part of the host name, else ENVIRONMENT-NUMBER.' }),
      url: targetUrl,
      address: text('a host name or address')
        .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/, {
          error: expected('a host name or address without port'),
        })
        .optional()
        .meta({ description: "Where published ports are reached. Default: the URL's host, or 127.0.0.1." }),
      identity: text('a file').optional().meta({ description: 'Private key file for ssh.' }),
      jump: z
        .string({ error: expected('user@host:port') })
        .regex(/^(?:[a-z_][a-z0-9_.-]*@)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?$/i, {
          error: expected('user@host:port'),
        })
        .optional()
        .meta({ description: 'Host to go through.' }),
      hostKey: z
        .string({ error: expected('a fingerprint SHA256:…') })
        .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, { error: expected('a fingerprint as ssh-keygen -l prints it, SHA256:…') })
        .optional()
        .meta({ description: 'Pinned host key.' }),
      tls: tls.optional(),
    }).superRefine((written, context) => {
      if (urlProblem(written.url) !== undefined) return;
      for (const { key, message } of settingProblems(written))
        context.addIssue({ code: 'custom', path: [key], message });
    }),
  ],
  { error: expected('a URL such as ssh://deploy@web-1.example.com') },
);

const ipv4Pattern = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

const machines = mapping({
  kind: z
    .enum(['lxc'], { error: expected('lxc') })
    .meta({ description: 'lxc: system containers on the computer that runs Lockage.' }),
  count: integer('a number', 1, 50).optional().meta({ description: 'How many. Default 1.' }),
  memory: size('512MiB', '256MiB', '1TiB').optional().meta({ description: 'Of each. Default 1GiB.' }),
  cpus: z
    .number({ error: expected('a number of CPUs from 0.1 to 256') })
    .min(0.1, { error: expected('a number of CPUs from 0.1 to 256') })
    .max(256, { error: expected('a number of CPUs from 0.1 to 256') })
    .optional()
    .meta({ description: 'Of each. Default 1.' }),
  address: z
    .string({ error: expected('an IPv4 address of this computer') })
    .regex(ipv4Pattern, { error: expected('an IPv4 address of this computer') })
    .optional()
    .meta({ description: 'Where all of them are reached. Default: the address of their network on this computer.' }),
}).meta({ description: 'Machines that the environment makes for itself. Its hosts are ENVIRONMENT-1, -2 …' });

const swarm = mapping({
  kind: z.literal('swarm'),
  managers: list(target, 'managers')
    .min(1, { error: 'expected at least one manager' })
    .meta({ description: 'Managers of the swarm. An edge proxy runs on each.' }),
});

const targets = z.union(
  [
    list(target, 'targets').min(1, { error: 'expected at least one target' }),
    // What is wrong is the kind, but the library shows the whole mapping.
    z.discriminatedUnion('kind', [swarm, machines], {
      error: ({ input }) => instead('swarm or lxc', (input as { kind?: unknown } | undefined)?.kind),
    }),
  ],
  { error: expected('a list of targets, { kind: swarm, … } or { kind: lxc, … }') },
);

/** environments/NAME.yaml: where one environment runs, and what differs there. */
export const environmentFile = mapping({
  targets: targets.meta({
    description: 'The hosts, a Docker Swarm, or the machines that the environment makes for itself.',
  }),
  roles: roles.optional().meta({ description: 'Merged over the roles of lockage.yaml, key by key.' }),
  accessories: accessories.optional().meta({ description: 'Merged over the accessories of lockage.yaml, key by key.' }),
  env: env.optional(),
  secrets: secrets.optional(),
  watch: watch.optional(),
  standby: standby.optional(),
  same: same.optional(),
  registry: pulling.optional(),
}).meta({ title: 'environments/NAME.yaml', description: 'Where one environment runs, and what differs there.' });

export type ProjectFile = z.output<typeof projectFile>;
export type EnvironmentFile = z.output<typeof environmentFile>;
export type RoleFile = z.output<typeof role>;
export type AccessoryFile = z.output<typeof accessory>;
export type TargetFile = z.output<typeof target>;
export type MachinesFile = z.output<typeof machines>;
export type TargetsFile = EnvironmentFile['targets'];
