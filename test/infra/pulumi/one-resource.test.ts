import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PulumiStacks } from '../../../infra/pulumi/stacks.ts';
import { readStack, type StateResource } from '../../../infra/pulumi/state.ts';
import { basisOf } from '../../../infra/resources/basis.ts';
import { Ledger, Secret, Turn } from '../../../infra/resources/classes.ts';
import { keepOthers, type RecordedResource } from '../../../infra/resources/keep-others.ts';
import { unpacked } from '../../../infra/resources/packing.ts';
import { contextIn } from '../../support/context-fixture.ts';

const place = { app: 'trial', environment: 'prod' };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-others-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function claim(operation: string, recorded?: StateResource) {
  return new Turn(
    { ...place, operation, turn: { revision: 0, operation, over: [], recorded: 0 }, hosts: [] },
    basisOf(recorded?.inputs),
  );
}

test('a run that changes one resource leaves those as they are that depend on it, also where none declares them', async () => {
  const settings = {
    backend: pathToFileURL(folder).href,
    passphrase: 'a passphrase',
    folder: join(folder, 'pulumi'),
  };
  const stacks = new PulumiStacks(settings, 'trial');
  const inState = async () => {
    const { resources = [] } = (await readStack(settings, 'trial', 'prod')) ?? {};
    return resources.filter(({ type }) => type.startsWith('lockage:'));
  };
  const first = async () => {
    const dependsOn = [claim('a')];
    const secret = new Secret({ ...place, secret: 'TOKEN', version: 'v1', sealed: 'sealed' }, { dependsOn });
    new Ledger({ ...place, revisions: '[]' }, { dependsOn: [secret] });
  };
  await stacks.up('prod', first, contextIn(folder), { message: 'first' });
  const [turn, ...others] = await inState();
  expect(others.map(({ type }) => type)).toEqual(['lockage:index:Secret', 'lockage:index:Ledger']);
  const only = { type: 'Turn', name: 'turn' };
  const next = async (recorded: readonly RecordedResource[]) => keepOthers(recorded, claim('b', turn));
  await stacks.up('prod', next, contextIn(folder), { message: 'next', only });
  const [changed, ...kept] = await inState();
  expect(unpacked(changed?.inputs ?? {})).toMatchObject({ operation: 'b' });
  // The value of a secret is encrypted anew each time.
  const known = ({ urn, inputs }: StateResource) => ({ urn, inputs: { ...inputs, sealed: undefined } });
  expect(kept.map(known)).toEqual(others.map(known));
});
