import { describe, expect, test } from 'vitest';
import type { Fence } from '../../../pipelines/model/fence.ts';
import type { KeptRecord, RecordCopy } from '../../../pipelines/model/record-copy.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import { newestCopy } from '../../../pipelines/policy/newest-copy.ts';
import { environment, host, record, refusal, revision } from '../model/values.ts';

const prod = environment({ hosts: ['prod-1', 'prod-2', 'prod-3'].map(host) });
const cordon = (name: string) => ({ host: name, since: '', actor: 'anna@desk', reason: 'disk' });
const hold = { since: '', actor: 'anna@desk', reason: 'slow', version: '1.1.0' };

const copy = (number: number, ledger: Partial<Ledger> = {}, operation = `op${number}`): RecordCopy => ({
  app: 'shop',
  environment: 'prod',
  operation,
  record: record([revision(number, '1.0.0')], [], ledger),
});
const fence = (revisionNumber: number, recorded = revisionNumber): Fence => ({
  revision: revisionNumber,
  operation: 'x',
  recorded,
});
const told = (...found: Partial<KeptRecord>[]): KeptRecord[] =>
  found.map((each, index) => ({ host: host(`prod-${index + 1}`), containers: new Map(), ...each }));
const search = (number = 0, from?: string) => ({
  environment: prod,
  own: record(number === 0 ? [] : [revision(number, '1.0.0')]),
  ...(from === undefined ? {} : { from }),
});
const silent = { error: 'does not answer' };

test('is the one of the highest revision, with all hosts that have it', () => {
  const kept = told(
    { copy: copy(7), fence: fence(7) },
    { copy: copy(6), fence: fence(7, 6) },
    { copy: copy(7, {}, 'other') },
  );
  expect(newestCopy(search(5), kept)).toEqual({ copy: copy(7), hosts: ['prod-1', 'prod-3'] });
});

test('is taken although a later revision was begun, which nobody knows as recorded', () => {
  const kept = told({ copy: copy(7), fence: fence(8, 7) }, { copy: copy(7), fence: fence(7) });
  expect(newestCopy(search(), kept).copy).toEqual(copy(7));
});

test('is newer than a state from the time when it was tried only', () => {
  const { number, release, kind, actor, startedAt } = revision(7, '1.0.0');
  const attempt = { number, release, kind, actor, startedAt, result: 'unfinished', operation: 'x' } as const;
  const own = {
    ...record([revision(6, '1.0.0'), { ...revision(7, '1.0.0'), result: 'unfinished' }]),
    pending: [attempt],
  };
  const kept = told({ copy: copy(7), fence: fence(7) });
  expect(newestCopy({ ...search(), own }, kept).copy).toEqual(copy(7));
});

test('is not that of a host which was cordoned after it', () => {
  const without = copy(7, { cordons: [cordon('prod-2')] });
  const kept = told({ copy: without }, { copy: copy(7) }, { copy: without });
  expect(newestCopy(search(), kept)).toEqual({ copy: without, hosts: ['prod-1', 'prod-3'] });
});

test('needs no answer of a host that it says is cordoned', () => {
  const without = copy(7, { cordons: [cordon('prod-2')] });
  expect(newestCopy(search(), told({ copy: without }, silent)).copy).toBe(without);
});

test('of a host that is named counts where they differ', () => {
  const kept = told({ copy: copy(7, { hold }) }, { copy: copy(7) });
  expect(newestCopy(search(0, 'prod-2'), kept)).toEqual({ copy: copy(7), hosts: ['prod-2'] });
});

describe('is refused where', () => {
  test.each<[string, ReturnType<typeof search>, KeptRecord[], string]>([
    [
      'a host in service does not answer',
      search(),
      told({ copy: copy(7) }, silent),
      '1 of 2 hosts of prod do not answer | prod-2: does not answer | They may know a later revision: bring them back, or say `--without HOST` for one that is dead. One that is not configured any more has to be named under `targets` again for that.',
    ],
    [
      'hosts know nothing',
      search(),
      told({}, { noCopy: 'no edge proxy of it runs there' }),
      'hosts of prod know no revision: there is nothing to adopt | Bring a release there: `lockage promote VERSION --to prod`.',
    ],
    [
      'this state knows as much',
      search(7),
      told({ copy: copy(7), fence: fence(7) }, { copy: copy(6) }),
      'this state knows revision 7 of prod, and hosts know no later one: nothing to adopt | Look at `lockage status --env prod`.',
    ],
    [
      'hosts have no copy, as those of an earlier version',
      search(2),
      told({ fence: fence(7) }, { fence: fence(7), noCopy: 'its copy is spoilt' }),
      'hosts of prod know revision 7, and none has a copy of the record | prod-1: it keeps no copy of the record | prod-2: its copy is spoilt | Take a copy of the state back; "The state is lost or older" in docs/operations.md says what else can be done.',
    ],
    [
      'the newest copy is older than what hosts know',
      search(),
      told({ copy: copy(6), fence: fence(7) }, { copy: copy(5) }),
      'hosts of prod know revision 7, and the newest copy is of revision 6 | prod-1: a copy of revision 6 | prod-2: a copy of revision 5 | Take a copy of the state back; "The state is lost or older" in docs/operations.md says what else can be done.',
    ],
    [
      'hosts have different copies of one revision',
      search(),
      told({ copy: copy(7, { hold }) }, { copy: copy(7, { cordons: [cordon('prod-9')] }, 'b') }),
      'hosts of prod have different copies of revision 7 | prod-1: by operation op7, on hold, no host cordoned | prod-2: by operation b, not on hold, prod-9 cordoned | Choose one: `lockage adopt prod --from HOST`.',
    ],
    [
      'hosts say of each other that they are cordoned',
      search(),
      told(
        { copy: copy(7, { cordons: [cordon('prod-2')] }, 'a') },
        { copy: copy(7, { cordons: [cordon('prod-1')] }, 'b') },
      ),
      'hosts of prod have different copies of revision 7 | prod-1: by operation a, not on hold, prod-2 cordoned | prod-2: by operation b, not on hold, prod-1 cordoned | Choose one: `lockage adopt prod --from HOST`.',
    ],
    [
      'the host that is named has an older one',
      search(0, 'prod-2'),
      told({ copy: copy(7) }, { copy: copy(6) }),
      'prod-2 does not have the newest copy of the record | prod-1: revision 7 | Name one of these with `--from`.',
    ],
  ])('%s', (_where, asked, kept, said) => {
    expect(refusal(() => newestCopy(asked, kept))).toBe(said);
  });
});
