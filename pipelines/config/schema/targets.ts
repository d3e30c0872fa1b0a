import * as z from 'zod';
import { parseAddress, parseUrl } from '../../model/endpoint.ts';
import { isHostAddress } from '../../model/ip-address.ts';
import { openPortProblem, urlProblem } from './target-url.ts';
import { expected, instead, integer, list, mapping, name, size, text } from './values.ts';

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

export const target = z.union(
  [
    plainTarget,
    mapping({
      name: name.optional().meta({ description: 'Default: first part of the host name, else ENVIRONMENT-NUMBER.' }),
      url: targetUrl,
      address: text('a host name or address')
        .regex(/^[A-Za-z0-9.:-]+$/, { error: expected('a host name or address without port'), abort: true })
        .refine(isHostAddress, { error: expected('a host name or address without port') })
        .optional()
        .meta({ description: "Where published ports are reached. Default: the URL's host, or 127.0.0.1." }),
      identity: text('a file').optional().meta({ description: 'Private key file for ssh.' }),
      jump: z
        .string({ error: expected('user@host:port') })
        .regex(
          /^(?:[a-z0-9_][a-z0-9_.-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/i,
          {
            error: expected('user@host:port'),
            abort: true,
          },
        )
        .refine((jump) => parseAddress(jump) !== undefined, { error: expected('user@host:port') })
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

export const machines = mapping(
  {
    kind: z
      .enum(['lxc', 'vm'], { error: expected('lxc or vm') })
      .meta({ description: 'lxc: system containers on the computer that runs Lockage. vm: virtual machines on it.' }),
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
    disk: size('16GiB', '3GiB', '64TiB').optional().meta({ description: 'Of each virtual machine. Default 8GiB.' }),
  },
  { image: 'is promoted, not configured: `lockage vm-image promote VERSION --to ENV`' },
)
  .refine(({ kind, disk }) => kind === 'vm' || disk === undefined, {
    path: ['disk'],
    error: "is for virtual machines only: system containers share this computer's disk",
  })
  .refine(({ kind, cpus = 1 }) => kind !== 'vm' || Number.isInteger(cpus), {
    path: ['cpus'],
    error: 'a virtual machine has whole ones',
  })
  .meta({ description: 'Machines that the environment makes for itself. Its hosts are ENVIRONMENT-1, -2 …' });

const swarm = mapping({
  kind: z.literal('swarm'),
  managers: list(target, 'managers')
    .min(1, { error: 'expected at least one manager' })
    .meta({ description: 'Managers of the swarm. An edge proxy runs on each.' }),
});

export const targets = z.union(
  [
    list(target, 'targets').min(1, { error: 'expected at least one target' }),
    // Only the kind is wrong, but the library shows the whole mapping.
    z.discriminatedUnion('kind', [swarm, machines], {
      error: ({ input }) => instead('swarm, lxc or vm', (input as { kind?: unknown } | undefined)?.kind),
    }),
  ],
  { error: expected('a list of targets, { kind: swarm, … }, { kind: lxc, … } or { kind: vm, … }') },
);

export type TargetFile = z.output<typeof target>;
export type MachinesFile = z.output<typeof machines>;
export type TargetsFile = z.output<typeof targets>;

/** Finds settings that do not go with a target's URL, which must have passed `urlProblem`. */
export function settingProblems(written: Exclude<TargetFile, string>): { key: string; message: string }[] {
  const { url } = written;
  const { kind } = parseUrl(url);
  const sshOnly = (['identity', 'jump', 'hostKey'] as const).filter((key) => written[key] !== undefined);
  const open = written.tls === undefined ? openPortProblem(url) : undefined;
  return [
    ...(kind === 'ssh' ? [] : sshOnly.map((key) => ({ key, message: 'is for ssh:// targets only' }))),
    ...(written.tls && kind !== 'tcp' ? [{ key: 'tls', message: 'is for tcp:// targets only' }] : []),
    ...(open === undefined ? [] : [{ key: 'url', message: open }]),
  ];
}
