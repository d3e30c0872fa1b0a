import { expect, test } from 'vitest';
import { EvidenceAdapter } from '../../../infra/adapters/evidence.ts';
import { BrokenError, LockageError } from '../../../pipelines/errors.ts';
import { release } from '../../pipelines/model/values.ts';

const bundles = [{ kind: 'approval', text: 'a bundle' }] as const;

function evidenceWith(failure: Error) {
  const recorded: string[] = [];
  const evidence = new EvidenceAdapter({
    project: { root: '/shop' },
    record: { of: async () => recorded, add: async (_, texts) => void recorded.push(...texts) },
    referrers: { contents: async () => [], attach: () => Promise.reject(failure) },
    variables: {},
    signal: new AbortController().signal,
  });
  return { evidence, recorded };
}

test('evidence that the registry does not take is recorded, and why is told', async () => {
  const { evidence, recorded } = evidenceWith(new LockageError('registry.example.com does not answer'));
  expect(await evidence.add(release('1.0.0'), bundles, 'approve')).toEqual({
    problem: 'registry.example.com does not answer',
  });
  expect(recorded).toEqual(['a bundle']);
});

test('evidence is recorded before anything worse than a refusal of the registry is thrown', async () => {
  const { evidence, recorded } = evidenceWith(new BrokenError('half of it is there'));
  await expect(evidence.add(release('1.0.0'), bundles, 'approve')).rejects.toThrow('half of it is there');
  expect(recorded).toEqual(['a bundle']);
});
