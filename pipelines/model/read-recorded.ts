/**
 * A recorded revision as it comes from a file: anybody may have written it, with hashes that fit. So every field is checked here,
 * and what goes on from here has the types that it says.
 */
import * as z from 'zod';
import { LockageError } from '../errors.ts';
import type { ContainerSpec } from './container-spec.ts';
import {
  ulimitNames,
  type Accessory,
  type Dns,
  type EdgeLimits,
  type EdgeSettings,
  type Hardening,
  type Health,
  type Limits,
  type Migration,
  type Surroundings,
} from './environment.ts';
import { recordedFormat, type RecordedRevision } from './recorded-revision.ts';
import type { Digest, Release } from './release.ts';

/** A schema for each field of a type, also of those that may be absent: one that is forgotten would be lost. */
type Fields<T> = Readonly<Record<keyof Required<T>, z.ZodType>>;

const longest = 1024;
const most = 10_000;
/** shown to people: no control characters */
const text = z
  .string()
  .max(longest)
  .regex(/^\P{C}*$/u, 'has control characters');
/** given to a program: whatever it takes but zero bytes */
const word = z
  .string()
  .max(1024 * 1024)
  .refine((value) => !value.includes('\0'), 'has a zero byte');
const words = z.array(word).max(most);
const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'is no name');
/** Whatever an engine takes for one: they are made anew from what they run. */
const containerName = z.string().regex(/^[A-Za-z0-9][\w.-]{0,200}$/, 'is no name of a container');
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is no name of a secret');
const key = z
  .string()
  .min(1)
  .max(longest)
  .regex(/^[^\0=]+$/, 'is no name of a variable');
const path = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'is no absolute path');
const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'is no digest')
  .transform((value) => value as Digest);
/** Only where an image may be named: what it means is checked where it is used. */
const image = z
  .string()
  .max(longest)
  .regex(/^[A-Za-z0-9[][\w.:/@[\]-]*$/, 'is no image');
const port = z.number().int().min(1).max(65_535);
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const amount = z.number().positive().max(Number.MAX_SAFE_INTEGER);
const values = z.record(key, word);

const platform = z.string().regex(/^[a-z0-9]+\/[a-z0-9/]+$/, 'is no platform');

const release = z.object({
  version: text,
  repository: image,
  digest,
  platform,
  platforms: z.record(platform, digest).optional(),
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/, 'is no commit')
    .optional(),
  builder: text,
  createdAt: text,
  user: text.optional(),
  volumes: z.array(text).max(most).optional(),
  startless: z.literal(true).optional(),
  dirty: z.boolean().optional(),
  adopted: z.boolean().optional(),
  schema: whole.optional(),
  compatible: whole.optional(),
  sequence: whole.optional(),
} satisfies Fields<Release>);

const health = z.object({
  check: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('http'), path: text.regex(/^\//), port, host: text.optional() }),
    z.object({ kind: z.literal('command'), command: words }),
    z.object({ kind: z.literal('running'), for: whole }),
  ]),
  interval: amount,
  healthy: whole,
  timeout: amount,
} satisfies Fields<Health>);

const limit = z.number().int().min(-1).max(Number.MAX_SAFE_INTEGER);
const ulimits = z.partialRecord(z.enum(ulimitNames), z.object({ soft: limit, hard: limit }));
const names = z.array(text).max(most).optional();

/** What roles and accessories have in common. */
const surroundings = {
  extraHosts: z.record(text, text).optional(),
  dns: z.object({ servers: names, search: names, options: names } satisfies Fields<Dns>).optional(),
  stopSignal: z
    .string()
    .regex(/^[A-Z0-9+-]{1,32}$/, 'is no signal')
    .optional(),
} satisfies Fields<Surroundings>;

const limits = z.object({
  memory: amount,
  cpus: amount.optional(),
  shmSize: amount.optional(),
  pids: amount,
  files: amount,
  log: amount,
  ulimits: ulimits.optional(),
} satisfies Fields<Limits>);

const hardening = z.object({
  readOnly: z.boolean(),
  tmpfs: z.record(path, amount),
  executable: z.array(path).max(most).optional(),
  capabilities: z.array(z.string().regex(/^[A-Z_]+$/, 'is no capability')).max(most),
  noNewPrivileges: z.boolean(),
  user: text.optional(),
  allowRoot: z.boolean(),
  // Whatever somebody wrote, of several lines, too: whoever shows it makes one of them.
  reasons: z.record(text, word),
} satisfies Fields<Hardening>);

const log = z.union([
  z.object({ driver: z.literal('host') }).strict(),
  z.object({ driver: text, options: z.record(text, word) }),
]);

const container = z.object({
  name: containerName,
  alias: containerName,
  host: text,
  role: name,
  image,
  version: text,
  command: words.optional(),
  env: values,
  neighbours: z.record(text, text).optional(),
  secrets: z.record(variable, text),
  secretsAt: z.literal('memory').optional(),
  route: z.object({ publish: port, port }).optional(),
  health,
  limits,
  hardening,
  init: z.literal(false).optional(),
  log: log.optional(),
  stopGrace: whole,
  replace: z.literal('stop-first').optional(),
  replicas: whole.optional(),
  ...surroundings,
} satisfies Fields<ContainerSpec>);

const dataCommands = z.object({ command: words, restore: words });

const accessory = z.object({
  name,
  image,
  host: text,
  command: words.optional(),
  env: values,
  secrets: z.array(variable).max(most),
  secretsOwner: text.optional(),
  port: port.optional(),
  expose: z.union([z.literal(true), text]).optional(),
  volumes: z.record(name, path),
  health: z.object({ command: words, timeout: amount }).optional(),
  backup: dataCommands.optional(),
  kind: z.enum(['postgres', 'mariadb', 'redis']).optional(),
  seed: z.union([z.object({ file: text }), z.object({ command: words })]).optional(),
  migrated: z.boolean().optional(),
  memory: amount,
  cpus: amount.optional(),
  shmSize: amount.optional(),
  init: z.boolean().optional(),
  log: log.optional(),
  ulimits: ulimits.optional(),
  ...surroundings,
} satisfies Fields<Accessory>);

const edgeLimits = z.object({
  memory: amount.optional(),
  cpus: amount.optional(),
  connections: amount.optional(),
} satisfies Fields<EdgeLimits>);

const edge = z.object({
  image,
  limits: edgeLimits.optional(),
  trustedProxies: z
    .array(z.string().regex(/^[0-9a-fA-F.:/]{2,64}$/, 'is no address'))
    .max(most)
    .optional(),
} satisfies Fields<EdgeSettings & { readonly image: string }>);

const migration = z.object({
  command: words,
  timeout: amount,
  secrets: z.array(variable).max(most),
  env: values,
  dump: z.array(name).max(most).optional(),
  keep: whole.optional(),
  version: text,
} satisfies Fields<Migration & { readonly version: string }>);

const recorded = z.object({
  app: name,
  environment: name,
  number: whole,
  release,
  containers: z.array(container).min(1).max(most),
  accessories: z.array(accessory).max(most),
  edge,
  migration: migration.optional(),
  hosts: z.array(text).max(most),
  swarm: text.optional(),
  standsOnLater: z.literal(true).optional(),
  insecureRegistries: z.array(z.string().regex(/^[A-Za-z0-9.[\]:-]{1,300}$/, 'is no registry')).max(most),
} satisfies Fields<RecordedRevision>);

/** The problems that are told of one file. */
const mostProblems = 10;

/**
 * Returns the recorded revision of a text, and nothing but what is known of one. Throws LockageError when a later version of Lockage
 * wrote it, or it is nothing of that kind, with all that is wrong.
 */
export function recordedOf(written: string, from: string): RecordedRevision {
  const { format, ...rest } = parsed(written, from);
  if (format !== recordedFormat) {
    throw new LockageError(`${from} has format ${shown(format)}, and ${recordedFormat} is known here`, {
      hint: 'Use the version of Lockage that wrote it, or a later one.',
    });
  }
  const found = recorded.safeParse(rest);
  // Absent and undefined are the same in JSON.
  if (found.success) return found.data as RecordedRevision;
  const problems = found.error.issues.map(({ path: place, message }) => `${place.map(String).join('.')}: ${message}`);
  throw new LockageError(`${from} cannot be used: its record is not as Lockage writes it`, {
    details: [
      ...problems.slice(0, mostProblems).map(printed),
      ...(problems.length > mostProblems ? [`and ${problems.length - mostProblems} more`] : []),
    ],
    hint: 'Name a file that `lockage bundle` wrote.',
  });
}

function parsed(written: string, from: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch (cause) {
    throw new LockageError(`${from} cannot be read: its record is no JSON`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LockageError(`${from} cannot be read: its record is no object`);
}

function shown(value: unknown): string {
  return printed(JSON.stringify(value) ?? 'none').slice(0, 40);
}

function printed(line: string): string {
  return line.replace(/\p{C}/gu, '?').slice(0, 300);
}
