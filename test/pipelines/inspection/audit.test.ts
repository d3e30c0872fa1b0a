import { generateKeyPairSync, sign } from 'node:crypto';
import { assert, constantFrom, integer, pre, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeAudit, operationsOf, type KeptLine } from '../../../pipelines/inspection/audit.ts';
import {
  hashOfEntry,
  lineText,
  noEntry,
  signedText,
  type AuditEntry,
  type AuditHead,
  type AuditLine,
  type MissingHead,
} from '../../../pipelines/model/audit-entry.ts';
import { publicKeyOf } from '../../../pipelines/model/public-key.ts';
import type { TrustedKey } from '../../../pipelines/model/trusted-key.ts';

const process = { machine: 'desk', pid: 7, pidSpace: 'boot pid:[1]' };

/** Writes entries as the log does, each after the one before. */
function logOf(count: number, changed: (number: number) => Partial<AuditEntry> = () => ({})): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (let number = 1; number <= count; number += 1) {
    const before = entries.at(-1);
    entries.push({
      number,
      at: new Date(1_700_000_000_000 + number * 1000).toISOString(),
      kind: number % 2 === 1 ? 'intent' : 'outcome',
      previous: before ? hashOfEntry(before) : noEntry,
      operation: 'promote',
      actor: 'anna@desk',
      process,
      environment: 'prod',
      ...(number % 2 === 1 ? {} : { intent: number - 1, exitCode: 0 }),
      ...changed(number),
    });
  }
  return entries;
}

const textOf = (entries: readonly AuditEntry[]) =>
  entries.map((entry) => `${lineText({ entry, hash: hashOfEntry(entry) })}\n`).join('');
const linesOf = (text: string): KeptLine[] =>
  (text.endsWith('\n') ? text.slice(0, -1) : text)
    .split('\n')
    .filter((each) => each !== '')
    .map((each, index) => ({ text: each, place: `line ${index + 1}` }));
const anchor = (entry: AuditEntry | undefined, from = 'the state of prod'): MissingHead[] =>
  entry ? [{ number: entry.number, hash: hashOfEntry(entry), from }] : [];
const judge = (lines: readonly KeptLine[], anchors: readonly MissingHead[] = []) =>
  judgeAudit(lines, { app: 'shop', anchors });

const log = logOf(12);
const text = textOf(log);
const anchors = anchor(log.at(-1));

describe('an audit log', () => {
  test('that is whole has no problem, and says who knows its end', () => {
    const report = judge(linesOf(text), anchors);
    expect(report).toMatchObject({ entries: 12, problems: [], head: { number: 12 }, anchors: [{ number: 12 }] });
  });

  test('that was cut at any byte is found', () => {
    for (let length = 0; length < text.length - 1; length += 1) {
      expect(judge(linesOf(text.slice(0, length)), anchors).problems, `cut at ${length}`).not.toEqual([]);
    }
  });

  test('of which any byte was changed is found', () => {
    const positions = integer({ min: 0, max: text.length - 2 });
    assert(
      property(positions, constantFrom('x', '0', ' ', '}', '"'), (at, by) => {
        pre(text[at] !== by && text[at] !== '\n');
        expect(judge(linesOf(text.slice(0, at) + by + text.slice(at + 1)), anchors).problems).not.toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  test('an entry that was changed is named', () => {
    const changed = linesOf(text).map((line) => ({
      ...line,
      text: line.text.replace(/anna(.*"number":5,)/, 'mary$1'),
    }));
    expect(judge(changed).problems).toEqual(['line 5: it was changed: its hash is another one']);
  });

  test('an entry that was changed with its hash is named by the one after it', () => {
    const forged = log.map((entry) => (entry.number === 5 ? { ...entry, actor: 'mallory@desk' } : entry));
    expect(judge(linesOf(textOf(forged))).problems).toEqual([
      'line 6: entry 6 was not written after this entry 5: one of them was changed',
    ]);
  });

  test('two entries that were swapped are named', () => {
    const swapped = [...log];
    [swapped[4], swapped[5]] = [log[5] as AuditEntry, log[4] as AuditEntry];
    expect(judge(linesOf(textOf(swapped))).problems).toEqual([
      'line 5: entry 5 is missing',
      'line 6: entry 5 comes after entry 6: entries are out of order, or there twice',
      'line 7: entry 6 is missing',
    ]);
  });

  test('entries that were taken out are counted', () => {
    expect(judge(linesOf(textOf(log.filter(({ number }) => number < 4 || number > 6)))).problems).toEqual([
      'line 4: entries 4 to 6 are missing',
    ]);
  });

  test('that is of yesterday is found by who knows today’s', () => {
    expect(judge(linesOf(textOf(log.slice(0, 8))), anchors).problems).toEqual([
      'the state of prod knows entry 12, and the log ends with 8: it was cut, or is an older copy',
    ]);
  });

  test('that was written anew as a whole is found by who knows the one before', () => {
    const anew = textOf(logOf(12, (number) => (number === 3 ? { actor: 'mallory@desk' } : {})));
    expect(judge(linesOf(anew)).problems).toEqual([]);
    expect(judge(linesOf(anew), anchors).problems).toEqual([
      'the state of prod knows another entry 12: the log was written anew',
    ]);
  });

  test('without its beginning is found', () => {
    expect(judge(linesOf(textOf(log.slice(3)))).problems).toEqual(['line 1: entries 1 to 3 are missing']);
  });

  test('a gap that a person has accepted is named, and no problem', () => {
    const short = logOf(4);
    const last = short.at(-1) as AuditEntry;
    const accepted: AuditEntry = {
      ...last,
      kind: 'accepted',
      operation: 'accept',
      number: 13,
      previous: hashOfEntry(last),
      reason: 'put back from Monday',
      missing: anchors,
      accepted: 13,
    };
    const report = judge(linesOf(textOf([...short, accepted])), anchors);
    expect(report.problems).toEqual([]);
    expect(report.accepted).toEqual([expect.stringContaining('put back from Monday')]);
  });

  test('a gap that only a command has found is one', () => {
    const short = logOf(4);
    const last = short.at(-1) as AuditEntry;
    const found: AuditEntry = {
      ...last,
      kind: 'intent',
      operation: 'rollback',
      number: 13,
      previous: hashOfEntry(last),
      missing: anchors,
    };
    expect(judge(linesOf(textOf([...short, found]))).problems).toEqual([
      'rollback (entry 13) found that something is missing: entry 12, which the state of prod knew',
    ]);
  });

  test.each([
    'null',
    '[]',
    '{}',
    '{"entry":null,"hash":"x"}',
    '{"entry":{"number":"1"},"hash":"x"}',
    '{"entry":{},"hash":1}',
    'x'.repeat(300_000),
  ])('a line that is %.40s is no entry', (odd) => {
    expect(judge([{ text: odd, place: 'line 1' }]).problems).toHaveLength(1);
  });

  test.each([
    { missing: [null] },
    { open: [null] },
    { open: [{ number: 1 }] },
    { open: [{ number: 1, process: { machine: 'desk', pid: '7', pidSpace: '' } }] },
    { gates: ['hold'] },
    { abandoned: ['1'] },
    { accepted: '13' },
    { accepted: 1.5 },
    { environment: 5 },
    { about: { host: null } },
    { process: { machine: 'desk' } },
  ])('an entry with %j is none, and named by its place', (odd) => {
    const [first] = logOf(1, () => odd as never);
    expect(judge(linesOf(textOf(first ? [first] : []))).problems).toEqual(['line 1: it is no entry']);
  });

  test('is believed that something was accepted by the entry alone that accepts it', () => {
    const short = logOf(4, (number) => (number === 3 || number === 4 ? { accepted: 999 } : {}));
    expect(judge(linesOf(textOf(short)), anchors).problems).toEqual([
      'line 3: entry 3 says that entry 999 accepted what is missing, and none did',
      'the state of prod knows entry 12, and the log ends with 4: it was cut, or is an older copy',
    ]);
    const forged = logOf(4, (number) => (number === 3 ? { kind: 'accepted', accepted: 999, missing: anchors } : {}));
    expect(judge(linesOf(textOf(forged))).problems).toEqual([
      'line 3: entry 3 says that entry 999 accepted what is missing, and the last that did is 3',
      'line 4: entry 4 says that no entry accepted what is missing, and the last that did is 3',
    ]);
    const empty = logOf(3, (number) => (number === 3 ? { kind: 'accepted', accepted: 3 } : {}));
    expect(judge(linesOf(textOf(empty))).problems).toEqual([
      'line 3: entry 3 accepts that something is missing, and says not what',
    ]);
  });

  test('says of an operation whether it ended, and that it did without an outcome', () => {
    const entries = logOf(3).concat([{ ...(logOf(1)[0] as AuditEntry), number: 4, abandoned: [3] }]);
    expect(operationsOf(entries).map(({ entry, end }) => `${entry.number} ${end}`)).toEqual([
      '1 known',
      '3 abandoned',
      '4 open',
    ]);
  });
});

describe('signatures of heads', () => {
  const pair = generateKeyPairSync('ed25519');
  const key = publicKeyOf(pair.publicKey) ?? { keyId: '', type: 'ed25519', pem: '' };
  const trusted: TrustedKey = { ...key, name: 'anna', signs: ['audit'] };

  /** The log with a signature of each entry, over what `signs` returns. */
  function signedLines(
    entries: readonly AuditEntry[],
    signs: (head: AuditHead) => AuditHead = (head) => head,
  ): KeptLine[] {
    return entries.map((entry, index) => {
      const hash = hashOfEntry(entry);
      const value = sign(null, Buffer.from(signedText('shop', signs({ number: entry.number, hash }))), pair.privateKey);
      const signature = { keyId: key.keyId, value: value.toString('base64') };
      return { text: lineText({ entry, hash, signature }), place: `line ${index + 1}` };
    });
  }
  const judgeBy = (lines: readonly KeptLine[], keys: readonly TrustedKey[]) =>
    judgeAudit(lines, { app: 'shop', anchors: [], keys });

  test('count when they are of a key that may sign the log', () => {
    expect(judgeBy(signedLines(log), [trusted])).toMatchObject({ problems: [], signed: 12, uncounted: [] });
  });

  test('that are taken from another entry, or another log, are forged', () => {
    const other = signedLines(log, ({ hash }) => ({ number: 3, hash }));
    expect(judgeBy(other, [trusted]).problems).toContain('line 5: the signature of entry 5 is none of its key');
    const elsewhere = judgeAudit(signedLines(log), { app: 'books', anchors: [], keys: [trusted] });
    expect(elsewhere.problems[0]).toBe('line 1: the signature of entry 1 is none of its key');
  });

  test('of a log that was written anew by somebody without the key are forged', () => {
    const anew = logOf(12, (number) => (number === 3 ? { actor: 'mallory@desk' } : {}));
    const signatures = signedLines(log).map(({ text: line }) => (JSON.parse(line) as AuditLine).signature);
    const lines = anew.map((entry, index) => {
      const signature = signatures[index];
      return {
        text: lineText({ entry, hash: hashOfEntry(entry), ...(signature ? { signature } : {}) }),
        place: `line ${index + 1}`,
      };
    });
    expect(judgeBy(lines, [trusted]).problems[0]).toBe('line 3: the signature of entry 3 is none of its key');
  });

  test('of keys that are revoked, unknown or for something else count for nothing, and say why', () => {
    const revoked = judgeBy(signedLines(log), [{ ...trusted, revoked: 'laptop stolen' }]);
    expect(revoked).toMatchObject({ problems: [], uncounted: ['the key anna is revoked: laptop stolen'] });
    expect(revoked.signed).toBeUndefined();
    expect(judgeBy(signedLines(log), []).uncounted).toEqual([expect.stringContaining('none of this project')]);
    expect(judgeBy(signedLines(log), [{ ...trusted, signs: ['approval'] }]).uncounted).toEqual([
      'the key anna may not sign audit',
    ]);
  });
});
