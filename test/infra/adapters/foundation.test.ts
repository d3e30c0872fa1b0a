import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FoundationAdapter } from '../../../infra/adapters/foundation.ts';
import type { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { foundationOf } from '../../../infra/programs/foundation-fingerprint.ts';
import type { RegistryClient } from '../../../infra/registry/client.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environment } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-foundation-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const project = { app: 'shop', edgeImage: 'caddy:2' };
const host = { name: 'prod-1' };
const due = ['networks, edge proxies or accessories are changed first'];

test.each([
  ['nothing but what is configured', { edges: [], accessories: [] }, []],
  ['an accessory that could not be removed', { edges: [], accessories: [{ name: 'cache', host }] }, due],
  ['the edge of a host that is configured no more', { edges: [{ host }], accessories: [] }, due],
])('a foundation of which the record has %s is changed for that', async (_what, standing, notes) => {
  const prod = environment({ hosts: [] });
  const basis = { secretVersions: {}, ports: {}, kept: [] };
  const recorded = { fingerprint: fingerprint(foundationOf(project, prod, basis)), edges: {}, hosts: [], images: {} };
  const records = {
    standing: async () => ({ ...standing, foundation: recorded }),
    seen: async () => ({ containers: [] }),
  } as unknown as RecordsAdapter;
  const stacks = async () => Promise.reject(new Error('nothing is made here'));
  const registry = {} as unknown as RegistryClient;
  const foundation = new FoundationAdapter({ records, session: sessionIn(folder), stacks, project, registry });
  expect(await foundation.notes({ environment: prod, active: prod, versions: {} })).toEqual(notes);
});
