/** The edge proxy as a user writes it: in lockage.yaml for all environments, in an environment's file for its own. */
import * as z from 'zod';
import { cpus, image } from './roles.ts';
import { expected, integer, list, mapping, size } from './values.ts';

const error = expected('an address or network such as 10.0.0.5 or 10.0.0.0/24');
/** An IPv4 address within IPv6, as Node.js names visitors. No proxy compares it with the address that it is. */
const mapped = /^::ffff:(?=\d+\.)/i;
const kinds = [z.ipv4({ error }), z.ipv6({ error }), z.cidrv4({ error }), z.cidrv6({ error })] as const;
const proxy = z.union(kinds, { error }).refine((written) => !mapped.test(written), {
  error: ({ input }) => `is an IPv4 address as some programs log it: write ${plain(String(input))}`,
});

function plain(written: string): string {
  return written
    .replace(mapped, '')
    .replace(/\d+$/, (last) => (written.includes('/') ? String(Number(last) - 96) : last));
}

const settings = {
  limits: mapping({
    memory: size('256MiB', '64MiB', '64TiB').optional().meta({ description: 'Default 256MiB.' }),
    cpus: cpus.optional().meta({ description: 'Default none: no limit.' }),
    connections: integer('a number of requests', 16, 1_000_000)
      .optional()
      .meta({ description: 'Requests under way; more are refused. Default: as many as the memory is enough for.' }),
  })
    .optional()
    .meta({ description: 'Of each edge proxy.' }),
  trustedProxies: list(proxy, 'addresses and networks').optional().meta({
    description: 'Of what stands before the edge, as where TLS ends: believed who asked, and how. Default: nobody.',
  }),
};

/** `edge` in lockage.yaml. */
export const projectEdge = mapping({
  image: image.optional().meta({ description: 'Default caddy:2.' }),
  ...settings,
});

/** `edge` in an environment's file. */
export const environmentEdge = mapping(settings, { image: 'is set in lockage.yaml, for all environments' });
