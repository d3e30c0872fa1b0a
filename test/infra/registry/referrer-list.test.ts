import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { listedReferrers } from '../../../infra/registry/referrer-list.ts';
import { RegistryHttp } from '../../../infra/registry/requests.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;
const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`] as const;
const wanted = 'application/vnd.example';
let server: Server | undefined;

interface Page {
  readonly body: unknown;
  readonly link?: string;
  readonly filters?: string;
}

/** A registry that answers to every page with what is given; returns what it was asked. */
async function serve(page: (asked: URL, count: number) => Page): Promise<{ place: string; asked: string[] }> {
  const asked: string[] = [];
  const made = createServer(({ url = '/' }, response) => {
    const { body, link, filters } = page(new URL(url, 'http://here'), asked.push(url));
    if (link !== undefined) response.setHeader('Link', link);
    if (filters !== undefined) response.setHeader('OCI-Filters-Applied', filters);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return { place: `127.0.0.1:${(made.address() as AddressInfo).port}/team/shop`, asked };
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const list = (place: string) => listedReferrers(new RegistryHttp({}), place, { digest, artifactType: wanted });
const digests = async (place: string) => (await list(place))?.map((each) => each.digest);
const page = (...manifests: object[]) => ({ manifests });
const base = `/v2/team/shop/referrers/${digest}`;

describe('a list of what refers to an image', () => {
  test('goes on where the registry says, at the registry itself, whatever address that gives', async () => {
    const link = `<https://elsewhere.example.com${base}?last=1>; rel="next"`;
    const { place, asked } = await serve((_, count) =>
      count === 1 ? { body: page({ digest: one }), link } : { body: page({ digest: two }) },
    );
    expect(await digests(place)).toEqual([one, two]);
    expect(asked).toEqual([`${base}?artifactType=application%2Fvnd.example`, `${base}?last=1`]);
  });

  test.each([`/registry${base}`, base.replace(':', '%3a'), base.replace(':', '%3A')])('goes on at %s', async (path) => {
    const link = `<${path}?last=1>; rel="next"`;
    const { place, asked } = await serve((_, count) =>
      count === 1 ? { body: page({ digest: one }), link } : { body: page({ digest: two }) },
    );
    expect(await digests(place)).toEqual([one, two]);
    expect(asked[1]).toBe(`${base}?last=1`);
  });

  test.each([
    '</v2/team/other/referrers/x>; rel="next"',
    `</v2/team/other/${base.slice(4)}x>; rel="next"`,
    '</token>; rel=next',
    '<http://[>; rel="next"',
    '</%zz>; rel="next"',
  ])('does not go on at %s', async (link) => {
    const { place } = await serve(() => ({ body: page({ digest: one }), link }));
    await expect(list(place)).rejects.toThrow('goes on elsewhere');
  });

  test('without an end ends', async () => {
    const { place } = await serve((_, count) => ({ body: page(), link: `<${base}?n=${count}>; rel="next"` }));
    await expect(list(place)).rejects.toThrow('more than 200 pages');
  });

  test('of more than anything has is refused', async () => {
    const many = page({ digest: one, annotations: { text: 'x'.repeat(3.5 * 2 ** 20) } });
    const { place, asked } = await serve((_, count) => ({ body: many, link: `<${base}?n=${count}>; rel="next"` }));
    await expect(list(place)).rejects.toThrow('lists more than 32 MiB');
    expect(asked).toHaveLength(10);
  });

  test('is whole or none: a page that is missing is an error', async () => {
    const { place } = await serve((_, count) =>
      count === 1 ? { body: page({ digest: one }), link: `<${base}?n=2>; rel="next"` } : { body: '<html>' },
    );
    await expect(list(place)).rejects.toThrow('in no form that is known');
  });

  test('is filtered here, unless the registry has done so', async () => {
    const all = page({ digest: one, artifactType: 'another' }, { digest: two, artifactType: wanted });
    const { place } = await serve((_, count) => (count === 1 ? { body: all } : { body: all, filters: 'artifactType' }));
    expect(await digests(place)).toEqual([two]);
    expect(await digests(place)).toEqual([one, two]);
  });

  test('has nothing of what no digest names', async () => {
    const odd = [null, 7, 'x', {}, [], { digest: 7 }, { digest: { toString: 1 } }, { digest: [one] }, { digest: 'x' }];
    const { place } = await serve(() => ({ body: { manifests: [...odd, { digest: two }] } }));
    expect(await digests(place)).toEqual([two]);
  });

  test('is empty where a registry says null, and refused where it is none', async () => {
    const { place } = await serve((_, count) => ({ body: count === 1 ? { manifests: null } : { errors: [] } }));
    expect(await digests(place)).toEqual([]);
    await expect(list(place)).rejects.toThrow('in no form that is known');
  });
});
