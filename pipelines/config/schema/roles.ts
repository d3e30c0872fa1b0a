import * as z from 'zod';
import { isIpAddress } from '../../model/ip-address.ts';
import { ulimitNames } from '../../model/environment.ts';
import { didYouMean } from '../../text/suggest.ts';
import { capabilities } from './capabilities.ts';
import { secretSource } from './secret-source.ts';
import {
  absolutePath,
  command,
  describe,
  duration,
  env,
  expected,
  hosts,
  integer,
  list,
  mapping,
  name,
  port,
  secretNames,
  size,
  text,
  variable,
  type Refusal,
} from './values.ts';

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
  host: z
    .string({ error: expected('a name such as shop.example.com') })
    .regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, { error: expected('a name such as shop.example.com') })
    .optional()
    .meta({ description: "The name that path is asked for, as visitors do. Default: the container's address." }),
  command: command.optional().meta({ description: 'Run in the container; exit code 0 is a success.' }),
  running: duration('5s', '1s', '10m').optional().meta({ description: 'No check: it has to stay up that long.' }),
  ...healthFields,
}).meta({ description: 'How a new container proves that it works: one of path, command and running.' });

/** A share of processors, or `none`: no limit. */
export const cpus = z.union(
  [
    z
      .number()
      .min(0.01, { error: expected('a number of CPUs from 0.01 to 1024') })
      .max(1024, { error: expected('a number of CPUs from 0.01 to 1024') }),
    z.literal('none'),
  ],
  { error: expected('a number of CPUs such as 0.5') },
);

const ulimitMessage = expected('a number, unlimited, or { soft: 1024, hard: 2048 }');
const ulimitValue = z.union([z.int().min(0), z.literal('unlimited')], { error: ulimitMessage });
const ulimit = z.union([ulimitValue, mapping({ soft: ulimitValue, hard: ulimitValue })], { error: ulimitMessage });
const ulimits = mapping(
  Object.fromEntries(ulimitNames.map((limit) => [limit, ulimit.optional()])) as Record<
    (typeof ulimitNames)[number],
    ReturnType<typeof ulimit.optional>
  >,
).meta({
  description: "Limits of its processes by ulimit's names, such as memlock. Open files have a key of their own.",
});

const limits = mapping({
  memory: size('256MiB', '6MiB', '64TiB').optional().meta({ description: 'Default 256MiB.' }),
  cpus: cpus.optional().meta({ description: 'Default 1. none: no limit, for hosts whose kernel has none.' }),
  shmSize: size('256MiB', '1MiB', '1TiB').optional().meta({
    description: "Size of /dev/shm, which counts as memory. Default: Docker's 64MiB.",
  }),
  pids: integer('a number of processes', 1, 4_194_304)
    .optional()
    .meta({ description: 'Processes and threads. Default 256.' }),
  files: integer('a number of open files', 16, 1_048_576).optional().meta({ description: 'Open files. Default 4096.' }),
  ulimits: ulimits.optional(),
  log: size('10MiB', '64KiB', '1TiB').optional().meta({ description: 'Log kept per container. Default 10MiB.' }),
});

const reason = text('the reason for it').meta({ description: 'Recorded with each revision.' });

const needsReason = (example: string) => (issue: Refusal) =>
  `expected { value: ${example}, reason: why }, as an exception needs a reason, got ${describe(issue.input)}`;

/** Accepts a boolean whose safe value may be written plainly, while the other one needs a reason. */
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

const userMessage = expected('a user as 1000, "1000:1000" or a name of its image');

/** uid, or a name of the image's, and a group after it. */
const userPattern = /^[A-Za-z0-9_][\w.-]*(?::[A-Za-z0-9_][\w.-]*)?$/;

const ownerMessage = expected('a user as "999", "999:999" or a name of its image');

const tmpfsSize = size('16MiB', '4KiB', '1TiB');
const tmpfs = z.union(
  [
    tmpfsSize,
    mapping({
      size: tmpfsSize,
      exec: z.boolean({ error: expected('true or false') }).meta({ description: 'Programs may be run from it.' }),
      reason,
    }),
  ],
  { error: expected('a size such as 16MiB or 1GiB') },
);

const driverMessage = expected('a log driver such as journald, or host');
const log = mapping({
  driver: z
    .string({ error: driverMessage })
    .regex(/^[a-z0-9][a-z0-9._/:-]*$/, { error: driverMessage })
    .meta({ description: "A log driver of Docker's, or host: whatever the host's engine does by itself." }),
  options: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' }), {
      error: expected('a mapping of options'),
    })
    .optional()
    .meta({ description: 'What the driver is told. Not for secrets: whoever may inspect the container sees them.' }),
}).meta({ description: "Where its output goes. Default: Docker's own rotating files." });

const hardening = mapping({
  readOnly: guarded(true).optional().meta({ description: "The image's files cannot be written. Default true." }),
  tmpfs: z
    .record(absolutePath, tmpfs, { error: expected('a mapping of paths to sizes') })
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
    .union([z.int().min(0).max(4_294_967_294), z.string().regex(userPattern, { error: userMessage })], {
      error: userMessage,
    })
    .optional()
    .meta({ description: 'uid, uid:gid or names of its image. Default: its own user, which must not be root.' }),
  allowRoot: guarded(false).optional().meta({ description: 'Default false.' }),
});

const stopSignal = z
  .string({ error: expected('a signal such as SIGQUIT') })
  .regex(/^SIG(?:TERM|QUIT|INT|HUP|USR1|USR2|WINCH|ABRT|ALRM|CONT|PWR|RTMIN(?:\+(?:[0-9]|1[0-5]))?)$/, {
    error: expected('a signal such as SIGQUIT'),
  })
  .meta({ description: "What asks it to end. Default: the image's own, else SIGTERM." });

const hostNameMessage = expected('a host name such as mail.example.com');
const hostName = z.string({ error: hostNameMessage }).regex(/^\w(?:[\w.-]{0,251}\w)?$/, { error: hostNameMessage });
const ipAddress = (what: string) => z.string({ error: expected(what) }).refine(isIpAddress, { error: expected(what) });
const hostMessage = expected('an IPv4 or IPv6 address, or host-gateway');
const hostAddress = z
  .string({ error: hostMessage })
  .refine((address) => address === 'host-gateway' || isIpAddress(address), { error: hostMessage });
const dnsOptionMessage = expected('an option of resolv.conf such as ndots:1');

const network = {
  extraHosts: z
    .record(hostName, hostAddress, { error: expected('a mapping of names to addresses') })
    .optional()
    .meta({ description: 'Names in its /etc/hosts: host name to address, or to `host-gateway`, which is its host.' }),
  dns: mapping({
    servers: list(ipAddress('the address of a name server'), 'addresses').optional(),
    search: list(hostName, 'domains').optional(),
    options: list(
      z.string({ error: dnsOptionMessage }).regex(/^[a-z0-9-]+(?::\d{1,4})?$/, { error: dnsOptionMessage }),
      'options',
    ).optional(),
  })
    .optional()
    .meta({ description: "How it looks names up. Default: as its host does; Docker's own names always come first." }),
};

export const role = mapping({
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
  init: z
    .boolean({ error: expected('true or false') })
    .optional()
    .meta({ description: "false: the image's own program is process 1, in place of Docker's init. Default true." }),
  log: log.optional(),
  ...network,
  stopSignal: stopSignal.optional(),
  replace: z
    .enum(['start-first', 'stop-first'], { error: expected('start-first or stop-first') })
    .optional()
    .meta({
      description:
        'stop-first: two at once are wrong, so the old container ends before the new one starts. Default start-first.',
    }),
  stop: duration('10s', '0s', '1h').optional().meta({ description: 'Between the stop signal and KILL. Default 10s.' }),
}).meta({ description: 'One process kind of the release.' });

const imagePattern =
  /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/;
export const image = z
  .string({ error: expected('an image such as postgres:16') })
  .regex(imagePattern, { error: expected('an image such as postgres:16') });

const exposeMessage = 'expected true, or an IPv4 or IPv6 address of its target';

const seedMessage = expected('one of file and command');
const seed = z
  .union(
    [
      mapping({ file: text('a file').meta({ description: "Read by the database's own client." }) }),
      mapping({ command: command.meta({ description: "Run in the release's image, as the migration is." }) }),
    ],
    { error: seedMessage },
  )
  .meta({ description: 'What databases for tests are filled with after the migration: one of file and command.' });

export const accessory = mapping({
  image: image.optional().meta({ description: 'Another image is used at the next promotion; the volumes stay.' }),
  host: name.optional().meta({ description: 'Name of the target it runs on. Default: the first.' }),
  command: command.optional(),
  port: port.optional().meta({ description: 'Containers find it as NAME_HOST and NAME_PORT.' }),
  expose: z
    .union([z.literal(true), z.string().refine(isIpAddress, { error: exposeMessage })], { error: exposeMessage })
    .optional()
    .meta({ description: 'Other targets find it at a public address: that of its target, or this one.' }),
  volumes: z
    .record(name, absolutePath, { error: expected('a mapping of volume names to paths') })
    .optional()
    .meta({ description: 'Volume name to path in the container.' }),
  env: env.optional(),
  secrets: secretNames.optional(),
  secretsOwner: z
    .union([z.int().min(0).max(4_294_967_294), z.string().regex(userPattern, { error: ownerMessage })], {
      error: ownerMessage,
    })
    .optional()
    .meta({ description: 'Who reads its secrets, where it is not the user that its image starts as.' }),
  health: mapping({
    command: command.optional().meta({ description: 'Run in the container; exit code 0 is a success.' }),
    timeout: healthFields.timeout,
  }).optional(),
  backup: mapping({
    command: command.meta({ description: 'Writes its data to stdout; run in its container.' }),
    restore: command.meta({ description: 'Takes them in again from stdin.' }),
  })
    .optional()
    .meta({ description: 'How it is backed up, where its image is not PostgreSQL.' }),
  kind: z
    .enum(['postgres', 'mariadb', 'redis'], { error: expected('postgres, mariadb or redis') })
    .optional()
    .meta({ description: 'Which database it is, for `lockage db`. Default: as its image says.' }),
  seed: seed.optional(),
  migrated: z
    .boolean({ error: expected('true or false') })
    .optional()
    .meta({ description: 'Whether the migration is for it, for `lockage db`. Default: not for Redis.' }),
  limits: mapping({
    memory: limits.shape.memory.meta({ description: 'Default 512MiB.' }),
    cpus: limits.shape.cpus,
    shmSize: limits.shape.shmSize,
    ulimits: limits.shape.ulimits,
  }).optional(),
  init: z
    .boolean({ error: expected('true or false') })
    .optional()
    .meta({ description: "Whether Docker's init is its process 1. Default: as the host's engine does." }),
  log: log.optional(),
  ...network,
  stopSignal: stopSignal.optional(),
}).meta({
  description: 'A stateful neighbour, such as a database. Promotions leave it alone unless its configuration changes.',
});

export const roles = z.record(name, role, { error: expected('a mapping of roles') });
export const accessories = z.record(name, accessory, { error: expected('a mapping of accessories') });
export const secrets = z
  .record(variable, secretSource, { error: expected('a mapping of secrets to their sources') })
  .meta({ description: "Where each secret's value comes from when a command needs it." });

export type RoleFile = z.output<typeof role>;
export type AccessoryFile = z.output<typeof accessory>;
