import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { jsonSchemas } from '../../../../pipelines/config/schema/json-schema.ts';

const folder = path.resolve(import.meta.dirname, '../../../../environments/schema');

test.each(Object.entries(jsonSchemas()))('environments/schema/%s is current', async (name, schema) => {
  const file = path.join(folder, name);
  const formatted = await format(schema, { ...(await resolveConfig(file)), filepath: file });
  await expect(formatted).toMatchFileSnapshot(file);
});

test('editors know the keys, what they mean and that there are no others', () => {
  const schema = JSON.parse(jsonSchemas()['lockage.schema.json'] ?? '');
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
  expect(schema.required).toEqual(['app']);
  expect(schema.additionalProperties).toBe(false);
  expect(schema.properties.standby).toMatchObject({
    type: 'integer',
    minimum: 0,
    maximum: 10,
    description: expect.stringContaining('Default 1'),
  });
});
