import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createProvider } from '../../../infra/provider/provider.ts';
import { declarations } from '../../../infra/resources/declared.ts';
import { packed } from '../../../infra/resources/packing.ts';
import { OvertakenError } from '../../../pipelines/errors.ts';
import { placed } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';

const urnOf = (type: string, name: string) => `urn:pulumi:prod::trial::lockage:index:${type}::${name}`;
const secretMark = { '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270' };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-provider-'));
});
afterEach(() => declarations.clear());
afterAll(() => rm(folder, { recursive: true, force: true }));

function provider() {
  const context = contextIn(folder);
  return createProvider({ context: () => context, declared: declarations });
}

describe('a provider whose lock is lost', () => {
  const urn = urnOf('Releases', 'releases');
  const inputs = { content: '{}' };
  const after = (checks: number) => {
    let left = checks;
    const check = async () => {
      left -= 1;
      if (left < 0) throw new OvertakenError('bert has taken over');
    };
    const context = () => {
      throw new Error('no host is asked');
    };
    return createProvider({ context, lock: { check } });
  };

  test('makes, changes, removes and compares nothing', async () => {
    const { check, create, diff, update, delete: remove } = after(0);
    for (const answer of [
      check?.(urn, {}, inputs),
      create?.(urn, inputs),
      diff?.('releases', urn, inputs, inputs),
      update?.('releases', urn, inputs, inputs),
      remove?.('releases', urn, inputs),
    ]) {
      await expect(answer).rejects.toThrow('bert has taken over');
    }
  });

  test('while it works lets Pulumi record nothing of that', async () => {
    await expect(after(1).diff?.('releases', urn, inputs, inputs)).rejects.toThrow('bert has taken over');
  });
});

describe('a provider that knows what is declared', () => {
  const urn = urnOf('Releases', 'releases');
  const inputs = { content: '{"app":"trial","releases":[]}' };
  const foreign = { content: '{"app":"trial","releases":[1]}' };

  test('makes and changes that', async () => {
    declarations.add({ type: 'Releases', name: 'releases' }, inputs);
    const { check, create, update } = provider();
    expect(await check?.(urn, {}, inputs)).toEqual({ inputs });
    expect(await create?.(urn, inputs)).toEqual({ id: 'releases', outs: inputs });
    expect(await update?.('releases', urn, foreign, inputs)).toEqual({ outs: inputs });
  });

  test('refuses other inputs, another name and another type', async () => {
    declarations.add({ type: 'Releases', name: 'releases' }, inputs);
    const { check, create, update } = provider();
    const refusal = 'is not what the program declares';
    await expect(check?.(urn, inputs, foreign)).rejects.toThrow(refusal);
    await expect(create?.(urn, foreign)).rejects.toThrow(refusal);
    await expect(update?.('releases', urn, inputs, foreign)).rejects.toThrow(refusal);
    await expect(create?.(urnOf('Releases', 'other'), inputs)).rejects.toThrow(refusal);
    await expect(create?.(urnOf('Foundation', 'releases'), inputs)).rejects.toThrow(refusal);
  });

  test('takes a secret with its value, or with the one that is recorded', async () => {
    const resource = { type: 'Secret', name: 'secret-X-1' };
    const known = { secret: 'X', version: '1' };
    const sealed = (text: string) => ({ ...known, sealed: { ...secretMark, value: text } });
    declarations.add(resource, known);
    declarations.add(resource, { ...known, sealed: 'right' });
    const { check, create } = provider();
    const secretUrn = urnOf('Secret', 'secret-X-1');
    await expect(create?.(secretUrn, sealed('right'))).resolves.toMatchObject({ id: 'secret-X-1' });
    await expect(check?.(secretUrn, {}, sealed('right'))).resolves.toMatchObject({});
    await expect(check?.(secretUrn, sealed('earlier'), sealed('earlier'))).resolves.toMatchObject({});
    await expect(check?.(secretUrn, {}, sealed('wrong'))).rejects.toThrow('is not what the program declares');
    await expect(create?.(secretUrn, sealed('wrong'))).rejects.toThrow('is not what the program declares');
  });

  test('removes what is declared no more, and nothing that is', async () => {
    const home = join(folder, 'load-balancers', 'prod');
    const front = { content: JSON.stringify({ app: 'trial', environment: 'prod', address: '127.0.0.1', ports: [] }) };
    await mkdir(home, { recursive: true });
    declarations.add({ type: 'Front', name: 'front' }, front);
    const { delete: remove } = provider();
    await expect(remove?.('front', urnOf('Front', 'front'), front)).rejects.toThrow('Front front is declared');
    expect((await stat(home)).isDirectory()).toBe(true);
    declarations.clear();
    await remove?.('front', urnOf('Front', 'front'), front);
    await expect(stat(home)).rejects.toThrow('ENOENT');
  });

  test('removes no folder that a name leads out to', async () => {
    await mkdir(join(folder, 'victim'), { recursive: true });
    const front = { content: JSON.stringify({ app: 'trial', environment: '../victim', address: '', ports: [] }) };
    await expect(provider().delete?.('front', urnOf('Front', 'front'), front)).rejects.toThrow('is not a name');
    expect((await stat(join(folder, 'victim'))).isDirectory()).toBe(true);
  });
});

describe('what is adopted', () => {
  const engines: string[] = [];
  const engine = async ({ name }: { readonly name: string }): Promise<never> => {
    engines.push(name);
    throw new Error(`${name} was asked`);
  };
  const adopting = () => {
    const context = { ...contextIn(folder), engine, adopts: true } as const;
    return createProvider({ context: () => context });
  };
  const asked = async (work: () => Promise<unknown> | undefined) => {
    engines.length = 0;
    await work();
    return [...engines];
  };

  test.each(['Container', 'Migration', 'Verification', 'Routes', 'Watch'])(
    '%s is recorded, and no host is asked',
    async (type) => {
      const { create, update, delete: remove } = adopting();
      const urn = urnOf(type, 'any');
      const inputs = packed({ ...container, operation: 'b', hosts: [container], containers: [container], turn: {} });
      expect(await asked(() => create?.(urn, inputs))).toEqual([]);
      expect(await asked(() => update?.('any', urn, inputs, packed({ ...container, again: 'b' })))).toEqual([]);
      expect(await asked(() => remove?.('any', urn, inputs))).toEqual([]);
    },
  );

  test('Turn claims its hosts', async () => {
    const turn = { revision: 7, operation: 'a', recorded: 7, over: [] };
    const inputs = packed({
      app: 'shop',
      environment: 'prod',
      operation: 'a',
      turn,
      hosts: [placed('web-1.0.0').host],
    });
    expect(await asked(() => adopting().create?.(urnOf('Turn', 'turn'), inputs))).toEqual(['prod-1']);
  });
});

const container = { app: 'shop', environment: 'prod', ...placed('web-1.0.0') };

async function changes(before: object, after: object): Promise<boolean | undefined> {
  const context = () => {
    throw new Error('a comparison needs no host');
  };
  const { diff } = createProvider({ context });
  const urn = 'urn:pulumi:prod::shop::lockage:index:Container::web-1.0.0';
  return (await diff?.('web-1.0.0', urn, packed(before), packed(after)))?.changes;
}

test('a recorded container is made again when an operation says so, and once only', async () => {
  const again = (operation: string) => ({ ...container, again: operation });
  expect(await changes(container, container)).toBe(false);
  expect(await changes(container, again('first'))).toBe(true);
  expect(await changes(again('first'), again('first'))).toBe(false);
  expect(await changes(again('first'), again('second'))).toBe(true);
});

test('that a container was made again is no difference later', async () => {
  expect(await changes({ ...container, again: 'first' }, container)).toBe(false);
});
