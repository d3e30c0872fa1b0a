import { expect, test } from 'vitest';
import { changeRecord, type SharedRecord } from '../../../infra/adapters/change-record.ts';
import { acceptedInputs, basedOn, basisOf } from '../../../infra/resources/basis.ts';
import { LockageError, LockedError, RecordChangedError } from '../../../pipelines/errors.ts';

interface Names {
  readonly names: readonly string[];
}

const quick = { total: 5_000, locked: 100, pause: 1 };

/** A record in memory that compares as the provider does. `between` runs after each read, as somebody else would. */
function recordWith(between: (names: string[]) => void = () => undefined) {
  let stored: Names | undefined;
  let writes = 0;
  const record: SharedRecord<readonly string[]> = {
    read: async () => {
      const read = { value: stored?.names ?? [], basis: basisOf(stored) };
      const names = [...(stored?.names ?? [])];
      between(names);
      if (names.length > 0) stored = { names };
      return read;
    },
    write: async (names, basis) => {
      stored = acceptedInputs(stored, basedOn(basis, { names })) as Names;
      writes++;
    },
  };
  return { record, names: () => stored?.names ?? [], writes: () => writes };
}

const adding = (name: string) => (names: readonly string[]) => (names.includes(name) ? names : [...names, name]);

test('changes that come at once are all kept, also the first ones', async () => {
  const { record, names } = recordWith();
  const wanted = Array.from({ length: 20 }, (_, index) => `release ${index}`);
  await Promise.all(wanted.map((name) => changeRecord(record, adding(name), quick)));
  expect([...names()].sort()).toEqual([...wanted].sort());
});

test('a change is made again from what somebody else recorded meanwhile', async () => {
  const others = ['bob', 'carol'];
  const { record, names } = recordWith((stored) => void stored.push(...others.splice(0, 1)));
  expect(await changeRecord(record, adding('alice'), quick)).toEqual(['bob', 'carol', 'alice']);
  expect(names()).toEqual(['bob', 'carol', 'alice']);
});

test('what is recorded already is not written again', async () => {
  const { record, writes } = recordWith();
  await changeRecord(record, adding('alice'), quick);
  expect(await changeRecord(record, adding('alice'), quick)).toEqual(['alice']);
  expect(writes()).toBe(1);
});

test('a change that does not fit what is stored by then is refused, and nothing is written', async () => {
  const { record, writes } = recordWith((stored) => void stored.push('bob'));
  const change = (names: readonly string[]) => {
    if (names.includes('bob')) throw new LockageError('bob is there');
    return [...names, 'alice'];
  };
  await expect(changeRecord(record, change, quick)).rejects.toThrow('bob is there');
  expect(writes()).toBe(0);
});

test('it gives up when others get in between for too long', async () => {
  let count = 0;
  const { record } = recordWith((stored) => void stored.push(`other ${count++}`));
  await expect(changeRecord(record, adding('alice'), { total: 30, locked: 30, pause: 1 })).rejects.toThrow(
    RecordChangedError,
  );
  expect(count).toBeGreaterThan(1);
});

test('it gives up when one of the others keeps it, and waits for many who have it one after the other', async () => {
  const { record, names } = recordWith();
  const kept = { ...record, write: () => Promise.reject(new LockedError('bob has it')) };
  const before = performance.now();
  await expect(changeRecord(kept, adding('alice'), quick)).rejects.toThrow('bob has it');
  expect(performance.now() - before).toBeLessThan(4_000);

  let count = 0;
  const end = performance.now() + 300;
  const write = (...values: Parameters<typeof record.write>) =>
    performance.now() < end ? Promise.reject(new LockedError(`other ${count++} has it`)) : record.write(...values);
  await changeRecord({ ...record, write }, adding('alice'), quick);
  expect(names()).toEqual(['alice']);
});
