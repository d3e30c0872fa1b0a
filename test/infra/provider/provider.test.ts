import { expect, test } from 'vitest';
import { createProvider } from '../../../infra/provider/provider.ts';
import { packed } from '../../../infra/resources/packing.ts';
import { placed } from '../../pipelines/model/values.ts';

const container = { app: 'shop', environment: 'prod', ...placed('web-1.0.0') };

async function changes(before: object, after: object): Promise<boolean | undefined> {
  const provider = createProvider(
    () => {
      throw new Error('a comparison needs no host');
    },
    () => undefined,
  );
  const urn = 'urn:pulumi:prod::shop::lockage:index:Container::web-1.0.0';
  return (await provider.diff?.('web-1.0.0', urn, packed(before), packed(after)))?.changes;
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
