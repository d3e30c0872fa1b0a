import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { signBundle } from '../../../pipelines/model/evidence/bundle.ts';
import { configurationHash } from '../../../pipelines/model/evidence/policy.ts';
import { statementText, type EvidenceKind, type Predicate } from '../../../pipelines/model/evidence/statement.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import { why } from '../../../pipelines/operations/why.ts';
import { ownedKey, type OwnedKey } from '../model/evidence/keys.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts } from './situations.ts';

const hour = 3_600_000;
const ci = ownedKey('ci', { signs: ['provenance', 'release', 'verification'] });
const anna = ownedKey('anna', { signs: ['approval'], environments: ['prod'] }, 'p256');
const ben = ownedKey('ben', { signs: ['approval', 'promotion', 'rollback'] });
const mallory = ownedKey('mallory');
const toProd = { environment: 'prod', version: '1.0.0' };

const qa = environment({ name: 'qa', hosts: [host('qa-1')], roles: [role({ hosts: ['qa-1'] })] });

/** 1.0.0 was released by ci, and has just come to qa, which is before prod. */
async function world(
  prod: Partial<Environment> = {},
  keys: readonly OwnedKey[] = [ci, anna, ben],
): Promise<MemoryWorld> {
  const made = new MemoryWorld([qa, onHosts({ after: ['qa'], ...prod })]);
  made.keys = keys.map(({ key }) => key);
  made.signer = ci.signer;
  await made.perform('release', { version: '1.0.0' });
  await made.perform('promote', { environment: 'qa', version: '1.0.0' });
  made.signer = ben.signer;
  return made;
}

/** A later release of ci, of another commit, comes to qa. */
async function inQa(made: MemoryWorld, version: string, letter: string): Promise<void> {
  made.signer = ci.signer;
  made.tree = { ...made.tree, commit: letter.repeat(40) };
  await made.perform('release', { version });
  await made.perform('promote', { environment: 'qa', version });
}

async function refusal(made: MemoryWorld, request = toProd): Promise<string> {
  const error = await errorOf(made, 'promote', request);
  expect(made.changes).toEqual([]);
  return error instanceof LockageError ? [error.message, ...error.details, error.hint].join(' | ') : 'no refusal';
}

const as = async (made: MemoryWorld, { signer }: OwnedKey, request: Partial<Approval> = {}) => {
  const before = made.signer;
  made.signer = signer;
  try {
    await made.perform('approve', { ...toProd, decision: 'approved', ...request });
  } finally {
    made.signer = before;
  }
};
type Approval = { decision: 'approved' | 'rejected'; reason: string; older: boolean; version: string };

const configure = (made: MemoryWorld, changes: Partial<Environment>) =>
  void Object.assign(made.place().configured, changes);

/** Lays a statement that anybody has signed beside an image. */
async function lay(made: MemoryWorld, { signer }: OwnedKey, about: Release, kind: EvidenceKind, predicate: Predicate) {
  const text = await signBundle(signer, statementText(about, kind, predicate));
  made.evidence.set(about.digest, [...(made.evidence.get(about.digest) ?? []), text]);
}

describe('evidence', () => {
  const all = { evidence: ['provenance', 'release', 'verification/qa'] } as const;

  test('that an environment asks for lets a release in, and all of it is shown', async () => {
    const made = await world(all);
    const { gates } = await why(made.context(), toProd);
    expect(gates.filter(({ gate }) => gate === 'evidence').map(({ from, met, by }) => [from, met, by])).toEqual([
      ['provenance', true, 'ci'],
      ['release', true, 'ci'],
      ['verification/qa', true, 'ci'],
    ]);
    await made.perform('promote', toProd);
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('of what is in an image is made with the release, and asked for', async () => {
    const key = ownedKey('ci', { signs: ['release', 'sbom', 'verification'] });
    const made = new MemoryWorld([qa, onHosts({ after: ['qa'], evidence: ['sbom'] })]);
    [made.keys, made.signer] = [[key.key], key.signer];
    await made.perform('release', { version: '1.0.0' });
    await made.perform('promote', { environment: 'qa', version: '1.0.0' });
    await made.perform('promote', toProd);
    const before = made.evidence.get(made.releases[0]?.digest ?? '')?.length;
    await made.perform('release', { version: '1.0.0' });
    expect(made.evidence.get(made.releases[0]?.digest ?? '')).toHaveLength(before ?? 0);
  });

  test('is neither asked for nor read where nothing is configured', async () => {
    const made = await world();
    await made.perform('promote', toProd);
    expect(made.calls.slice(0, made.calls.indexOf('stacks.deploy'))).not.toContain('evidence.of');
  });

  test('that is missing closes the gate by name', async () => {
    const made = await world(all);
    made.evidence.clear();
    expect(await refusal(made)).toMatch(
      /1\.0\.0 has no provenance that counts \| 1\.0\.0 has no release that counts \| 1\.0\.0 has no verification\/qa that counts/,
    );
  });

  test('of a key that is not trusted, for that kind, there, or any more, does not count', async () => {
    const made = await world(all);
    const without = async (keys: readonly OwnedKey['key'][]) => {
      made.keys = keys;
      return refusal(made);
    };
    expect(await without([ben.key])).toContain('signed with a key that is not trusted here');
    expect(await without([{ ...ci.key, signs: ['release'] }])).toContain('the key ci may not sign provenance');
    expect(await without([{ ...ci.key, environments: ['qa'] }])).toContain('the key ci may not sign for prod');
    expect(await without([{ ...ci.key, revoked: 'stolen' }])).toContain('the key ci is revoked: stolen');
    expect(await without([{ ...ci.key, until: Date.parse('2026-01-01') }])).toContain(
      'the key ci counted until 2026-01-01',
    );
  });

  test('of another image, version, application, builder or commit does not count', async () => {
    const made = await world({ evidence: ['provenance', 'release'] });
    const [recorded] = made.releases;
    const [evil] = [release('6.6.6')];
    if (!recorded) throw new Error('nothing was released');
    // Someone with the registry’s login lays the evidence of 1.0.0 beside another image.
    made.releases = [...made.releases, evil];
    made.evidence.set(evil.digest, made.evidence.get(recorded.digest) ?? []);
    await made.perform('promote', { environment: 'qa', version: '6.6.6' });
    expect(await refusal(made, { ...toProd, version: '6.6.6' })).toContain('one is about another image');
    const at = new Date(made.context().now()).toISOString();
    const facts = { app: 'shop', version: '1.0.0', sequence: 1, at };
    for (const [predicate, problem] of [
      [{ ...facts, version: '2.0.0' }, 'it is of the version "2.0.0"'],
      [{ ...facts, app: 'other' }, 'it is of another application'],
      [{ ...facts, sequence: 'x' }, 'it has no sequence number'],
      [{ ...facts, sequence: 7 }, 'it has the sequence number 7, and 1 is recorded'],
      [{ ...facts, at: 'soon' }, 'does not say when'],
    ] as const) {
      made.evidence.clear();
      await lay(made, ci, recorded, 'release', predicate);
      expect(await refusal(made)).toContain(problem);
    }
    const provenance = (id: string, gitCommit: string) => ({
      buildDefinition: { resolvedDependencies: [{ digest: { gitCommit } }] },
      runDetails: { builder: { id }, metadata: { finishedOn: at } },
    });
    await lay(made, ci, recorded, 'provenance', provenance('urn:lockage:builder:ben', recorded.commit ?? ''));
    expect(await refusal(made)).toContain('its builder is not urn:lockage:builder:ci');
    await lay(made, ci, recorded, 'provenance', provenance('urn:lockage:builder:ci', 'f'.repeat(40)));
    expect(await refusal(made)).toContain('it is not of the commit');
  });

  test('of the future does not count: a signer’s clock a day ahead keeps a release out until then', async () => {
    const made = await world({ evidence: ['release'] });
    const [recorded] = made.releases;
    if (!recorded) throw new Error('nothing was released');
    made.evidence.clear();
    const at = new Date(made.context().now() + 24 * hour).toISOString();
    await lay(made, ci, recorded, 'release', { app: 'shop', version: '1.0.0', sequence: 1, at });
    expect(await refusal(made)).toContain('which is later than now: a clock is wrong');
    made.pass(24 * hour);
    await made.perform('promote', toProd);
  });

  test('is made up for by the same commands, and not signed twice', async () => {
    const made = await world(all);
    made.evidence.clear();
    made.signer = ci.signer;
    await made.perform('release', { version: '1.0.0' });
    await made.perform('promote', { environment: 'qa', version: '1.0.0' });
    const count = () => made.evidence.get(made.releases[0]?.digest ?? '')?.length;
    expect(count()).toBe(3);
    await made.perform('release', { version: '1.0.0' });
    await made.perform('promote', { environment: 'qa', version: '1.0.0' });
    expect(count()).toBe(3);
    made.signer = ben.signer;
    await made.perform('promote', toProd);
  });

  test('keeps an old signed release out after a later one ran, unless it is authorised', async () => {
    const made = await world({ evidence: ['release'] });
    await made.perform('promote', toProd);
    await inQa(made, '2.0.0', 'b');
    made.signer = ben.signer;
    await made.perform('promote', { environment: 'prod', version: '2.0.0' });
    expect(await refusal(made)).toMatch(
      /1\.0\.0 was made before what has run in prod .*lockage approve 1\.0\.0 --to prod --older/,
    );
    await as(made, ben, { older: true });
    made.pass(25 * hour);
    expect(await refusal(made)).toContain('1.0.0 was made before');
    await as(made, ben, { older: true });
    await made.perform('promote', toProd);
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('keeps an old signed release out although its number was taken out of the record', async () => {
    const made = await world({ evidence: ['release'] });
    await inQa(made, '2.0.0', 'b');
    await made.perform('promote', { environment: 'prod', version: '2.0.0' });
    made.releases = made.releases.map(({ sequence: _, ...each }) => each);
    expect(await refusal(made)).toContain('1.0.0 was made before what has run in prod (1 of 2)');
    await made.perform('promote', { environment: 'prod', version: '2.0.0' });
  });

  test('is not asked for by a rollback', async () => {
    const made = await world({ evidence: ['release'] });
    await made.perform('promote', toProd);
    await inQa(made, '2.0.0', 'b');
    await made.perform('promote', { environment: 'prod', version: '2.0.0' });
    made.evidence.clear();
    made.signer = undefined;
    await made.perform('rollback', { environment: 'prod', startedAt: 0 });
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });
});

describe('approvals', () => {
  const two = { approvals: { count: 2, from: ['anna', 'ben'], within: 24 * hour } } as const;

  test('of as many people as are wanted let a release in', async () => {
    const made = await world(two);
    expect(await refusal(made)).toContain(
      '0 approvals, and 2 of anna, ben are wanted | Run `lockage approve 1.0.0 --to prod`',
    );
    await as(made, anna);
    await as(made, anna);
    expect(await refusal(made)).toContain('1 approvals (anna), and 2 of anna, ben are wanted');
    await as(made, ben);
    await made.perform('promote', toProd);
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
    expect(made.place().record.ledger.revisions.at(-1)?.policy?.approvals).toEqual(two.approvals);
  });

  test('expire', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    made.pass(25 * hour);
    expect(await refusal(made)).toContain('the approval of anna has expired');
  });

  test('are asked for again when the configuration is another one, or goes back to what it was', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    configure(made, { watch: 60_000 });
    expect(await refusal(made)).toContain('prod is configured otherwise since anna approved');
  });

  test('of one environment, version or image do not count for another', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    const [recorded] = made.releases;
    if (!recorded) throw new Error('nothing was released');
    const other = { ...release('2.0.0'), digest: recorded.digest };
    made.releases = [...made.releases, other];
    await made.perform('promote', { environment: 'qa', version: '2.0.0' });
    expect(await refusal(made, { ...toProd, version: '2.0.0' })).toContain('0 approvals');
  });

  test('may be taken back by who gave them, and a rejection of one person stands against all', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    made.pass(1000);
    await as(made, ben, { decision: 'rejected', reason: 'the queue\u001b[2J is full' });
    expect(await refusal(made)).toContain('ben has rejected 1.0.0 for prod: the queue\\u001b[2J is full');
    made.pass(1000);
    await as(made, ben);
    await made.perform('promote', toProd);
  });

  test('of who built it or who promotes it do not count where they are not to', async () => {
    const builder = ownedKey('cara', { signs: ['provenance', 'release', 'approval'] });
    const made = await world({ approvals: { count: 1, not: ['builder', 'promoter'], within: 24 * hour } }, [
      builder,
      anna,
      ben,
    ]);
    expect(await refusal(made)).toContain('who built 1.0.0 is not known');
    made.signer = builder.signer;
    await made.perform('release', { version: '1.0.0' });
    await as(made, builder);
    made.signer = ben.signer;
    await as(made, ben);
    expect(await refusal(made)).toMatch(/cara built it.*ben promotes it/);
    made.signer = undefined;
    expect(await refusal(made)).toContain('who promotes is not known, and is not to approve');
    made.signer = ben.signer;
    await as(made, anna);
    await made.perform('promote', toProd);
  });

  test.each([
    ['configured now', { not: ['promoter'] }, { not: ['promoter'] }],
    ['recorded', { not: ['promoter'] }, {}],
  ] as const)(
    'of who promotes do not count under the name of a key that is not theirs: as is %s',
    async (_, before, now) => {
      const robot = ownedKey('robot', { signs: ['promotion'] });
      const rule = { count: 1, within: 24 * hour };
      const made = await world({ approvals: { ...rule, ...before } }, [ci, anna, ben, robot]);
      await as(made, ben);
      made.signer = robot.signer;
      await made.perform('promote', toProd);
      made.signer = ci.signer;
      made.tree = { ...made.tree, commit: 'b'.repeat(40) };
      await made.perform('release', { version: '2.0.0' });
      await made.perform('promote', { environment: 'qa', version: '2.0.0' });
      configure(made, { approvals: { ...rule, ...now } });
      await as(made, ben, { version: '2.0.0' });
      // As LOCKAGE_KEY and a command that ben does not have make it look.
      made.signer = { ...robot.signer, sign: () => Promise.reject(new LockageError('vault-sign is not installed')) };
      const second = { environment: 'prod', version: '2.0.0' };
      expect(await refusal(made, second)).toContain(
        'who promotes is not known (vault-sign is not installed), and is not to approve',
      );
      made.signer = robot.signer;
      await made.perform('promote', second);
    },
  );

  test('of strangers are refused when they are given, and do not count when they are laid there', async () => {
    const made = await world({ approvals: { count: 1, from: ['anna'], within: 24 * hour } });
    await expect(as(made, ben)).rejects.toThrow('ben does not approve for prod');
    await expect(as(made, ci)).rejects.toThrow('the key ci may not sign approval');
    await expect(as(made, mallory)).rejects.toThrow('nobody can sign here');
    await expect(as(made, anna, { decision: 'rejected', reason: ' ' })).rejects.toThrow('a rejection needs a reason');
    const [recorded] = made.releases;
    if (!recorded) throw new Error('nothing was released');
    const now = made.context().now();
    const { project } = made.context();
    const [, prod] = project.environments;
    if (!prod) throw new Error('no prod');
    const approval = {
      ...{ app: 'shop', environment: 'prod', version: '1.0.0', decision: 'approved' },
      configuration: configurationHash(prod, project.keys),
      at: new Date(now).toISOString(),
      expires: new Date(now + hour).toISOString(),
    };
    for (const owner of [mallory, ci, ben]) await lay(made, owner, recorded, 'approval', approval);
    expect(await refusal(made)).toContain('0 approvals, and 1 of anna are wanted');
    for (const changes of [{ expires: undefined }, { expires: 'never' }, { configuration: undefined }]) {
      made.evidence.clear();
      await lay(made, anna, recorded, 'approval', { ...approval, ...changes });
      expect(await refusal(made)).toContain('0 approvals');
    }
    made.evidence.clear();
    await lay(made, anna, recorded, 'approval', approval);
    await made.perform('promote', toProd);
  });

  test('count where the registry does not take them, which is said', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    made.registryProblem = 'the registry does not answer';
    await as(made, anna);
    expect(made.notes).toContain('recorded, and not beside the image: the registry does not answer');
    expect(made.audit.lines.at(-1)?.entry).toMatchObject({ operation: 'approve', exitCode: 0 });
    await made.perform('promote', toProd);
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('and releases and promotions end well where the registry takes no evidence', async () => {
    const made = await world();
    [made.registryProblem, made.signer] = ['the registry does not answer', ben.signer];
    await made.perform('promote', toProd);
    expect(made.notes).toContain('recorded, and not beside the image: the registry does not answer');
    made.signer = ci.signer;
    made.tree = { ...made.tree, commit: 'b'.repeat(40) };
    await made.perform('release', { version: '2.0.0' });
    expect(made.notes).toContain('recorded, and not beside the image: the registry does not answer');
  });

  test('have no secret in their reasons', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna, { decision: 'rejected', reason: `the password ${made.secret} is in it` });
    const bundle = made.evidence.get(made.releases[0]?.digest ?? '')?.at(-1) ?? '';
    const { dsseEnvelope } = JSON.parse(bundle) as { dsseEnvelope: { payload: string } };
    expect(Buffer.from(dsseEnvelope.payload, 'base64').toString()).toContain('the password [secret] is in it');
  });

  test('and rejections are told apart in the audit log', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    await as(made, ben, { decision: 'rejected', reason: 'full' });
    await as(made, ben, { older: true });
    const intents = made.audit.lines.filter(({ entry }) => entry.operation === 'approve' && entry.kind === 'intent');
    expect(intents.map(({ entry }) => Object.values(entry.about ?? {}).join(' '))).toEqual([
      'approved',
      'rejected',
      'approved older',
    ]);
  });

  test('are of the configuration that the audit log names', async () => {
    const made = await world({ approvals: { count: 1, within: 24 * hour } });
    await as(made, anna);
    await made.perform('promote', toProd);
    const { project } = made.context();
    const [, prod] = project.environments;
    if (!prod) throw new Error('no prod');
    expect(made.audit.lines.at(-1)?.entry.configuration).toBe(configurationHash(prod, project.keys));
  });

  test('are asked of nobody where an environment wants none', async () => {
    const made = await world();
    await expect(as(made, anna)).rejects.toThrow('prod asks for no approvals');
  });
});

describe('a policy that is lowered counts only after a release came in under the one before', () => {
  const rule = { count: 2, from: ['anna', 'ben'], within: 24 * hour };

  /** 1.0.0 came into prod with two approvals, and 2.0.0 waits in qa. */
  async function strict(): Promise<MemoryWorld> {
    const made = await world({ approvals: rule, evidence: ['release'] });
    await as(made, anna);
    await as(made, ben);
    await made.perform('promote', toProd);
    await inQa(made, '2.0.0', 'b');
    made.signer = ben.signer;
    return made;
  }
  const second = { environment: 'prod', version: '2.0.0' };

  test.each([
    ['fewer approvals', { approvals: { ...rule, count: 1 } }, '1 approvals instead of 2'],
    ['approvals of others', { approvals: { ...rule, from: ['anna', 'ben', 'ci'] } }, 'approvals of others: ci'],
    ['approvals of anybody', { approvals: { count: 2, within: 24 * hour } }, 'approvals of others: all'],
    ['no approvals', { approvals: undefined }, 'no approvals are asked for any more'],
    ['less evidence', { evidence: undefined }, 'release is not asked for any more'],
  ] as const)('%s', async (_, changes, weaker) => {
    const made = await strict();
    configure(made, changes as Partial<Environment>);
    expect(await refusal(made, second)).toContain(`the policy asks for less than that of revision 1 (${weaker}`);
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' });
    await made.perform('promote', second);
    expect(made.place().serves()).toEqual(everywhere('2.0.0'));
  });

  const alone = { ...rule, count: 1, from: ['anna', 'ben'] };
  test.each<[string, (made: MemoryWorld) => void]>([
    [
      'leaves them out of those who may approve',
      (made) => configure(made, { approvals: { ...alone, from: ['anna'] } }),
    ],
    ['takes their key away', (made) => void (made.keys = [ci.key, anna.key])],
    [
      'has their key count elsewhere',
      (made) => void (made.keys = [ci.key, anna.key, { ...ben.key, environments: ['qa'] }]),
    ],
    [
      'has their key sign other things',
      (made) => void (made.keys = [ci.key, anna.key, { ...ben.key, signs: ['promotion'] }]),
    ],
    [
      'has their key count later',
      (made) => void (made.keys = [ci.key, anna.key, { ...ben.key, from: Date.parse('2099-01-01') }]),
    ],
    ['asks for no approvals', (made) => void Object.assign(made.place().configured, { approvals: undefined })],
  ])('a rejection stands against a change that %s', async (_, change) => {
    const made = await world({ approvals: alone });
    await as(made, anna);
    await made.perform('promote', toProd);
    await inQa(made, '2.0.0', 'b');
    await as(made, ben, { version: '2.0.0', decision: 'rejected', reason: 'it is slow' });
    change(made);
    if (made.place().configured.approvals) await as(made, anna, { version: '2.0.0' });
    expect(await refusal(made, second)).toMatch(
      /the policy asks for less .*ben has rejected 2\.0\.0 for prod: it is slow/,
    );
  });

  test('a rejection by a key that was revoked counts for nothing', async () => {
    const made = await world({ approvals: alone });
    await as(made, anna);
    await made.perform('promote', toProd);
    await inQa(made, '2.0.0', 'b');
    await as(made, ben, { version: '2.0.0', decision: 'rejected', reason: 'ransom' });
    made.keys = [ci.key, anna.key, { ...ben.key, revoked: 'stolen' }];
    await as(made, anna, { version: '2.0.0' });
    await made.perform('promote', second);
    expect(made.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('a key that an attacker adds in the same change', async () => {
    const made = await strict();
    made.keys = [...(made.keys ?? []), mallory.key];
    configure(made, { approvals: { count: 1, from: ['mallory'], within: 24 * hour } });
    await as(made, mallory, { version: '2.0.0' });
    expect(await refusal(made, second)).toMatch(/revision 1 .*0 approvals, and 2 of anna, ben are wanted/);
  });

  test('glass that was breakable when nothing of it was asked for any more can be broken afterwards', async () => {
    const made = await strict();
    Object.assign(made.place().configured, { approvals: undefined, evidence: undefined, breakGlass: ['block'] });
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' }).catch(() => undefined);
    made.signer = ben.signer;
    await made.perform('promote', second);
    await made.perform('block', { version: '1.0.0', reason: 'slow' });
    await made.perform('promote', { ...toProd, breakGlass: 'nothing else works' });
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('glass that is made breakable in the same change', async () => {
    const made = await strict();
    configure(made, { breakGlass: ['approvals', 'freeze'] });
    const broken = { ...second, breakGlass: 'nobody is there' };
    expect(await refusal(made, broken)).toContain('--break-glass passes no gate of prod, and not approvals');
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' });
    await made.perform('promote', second);
    await inQa(made, '3.0.0', 'c');
    await made.perform('promote', { ...broken, version: '3.0.0' });
    expect(made.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('also when all of it is taken out, and for the next release it counts', async () => {
    const made = await strict();
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' });
    // Who approved has not seen that, so they are asked again.
    configure(made, { approvals: undefined, evidence: undefined } as never);
    expect(await refusal(made, second)).toContain('prod is configured otherwise since anna approved');
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' });
    await made.perform('promote', second);
    made.signer = undefined;
    await made.perform('promote', toProd);
    expect(made.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('and a rollback lowers nothing', async () => {
    const made = await strict();
    for (const who of [anna, ben]) await as(made, who, { version: '2.0.0' });
    await made.perform('promote', second);
    await made.perform('rollback', { environment: 'prod', startedAt: 0 });
    await made.perform('resume', { environment: 'prod' });
    configure(made, { approvals: { ...rule, count: 0 } });
    expect(await refusal(made, second)).toContain('asks for less than that of revision 2');
  });
});
