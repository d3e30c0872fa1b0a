import { describe, expect, test } from 'vitest';
import { LockageError, NotStartedError } from '../../../pipelines/errors.ts';
import { acceptLog } from '../../../pipelines/operations/accept-log.ts';
import { everywhere, onHosts, errorOf, worldOf } from './situations.ts';

const environment = 'prod';
const rollback = { environment, startedAt: 0 };
const broken = new LockageError('the audit log cannot be used: ENOSPC');

describe('the audit log', () => {
  test('has the intent of a promotion before its first change, and its outcome after it', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const before = world.audit.lines.length;
    const during: number[] = [];
    world.at('stacks.deploy', () => during.push(world.audit.lines.length));
    await world.perform('promote', { environment, version: '2.0.0', reason: 'spring sale' });
    expect(during).toEqual([before + 1]);
    const [intent, outcome] = world.audit.lines.slice(before).map(({ entry }) => entry);
    expect(intent).toMatchObject({
      kind: 'intent',
      operation: 'promote',
      environment,
      actor: 'anna@desk',
      reason: 'spring sale',
      release: { version: '2.0.0', digest: expect.stringMatching(/^sha256:/) },
      configuration: expect.stringMatching(/^[0-9a-f]{64}$/),
      gates: expect.arrayContaining([expect.objectContaining({ gate: 'hold', met: true })]),
      revision: 2,
    });
    expect(outcome).toMatchObject({ kind: 'outcome', intent: intent?.number, exitCode: 0, revision: 2 });
    expect(outcome?.open).toBeUndefined();
  });

  test('says how an operation failed, without secrets', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.fail('stacks.deploy', new Error(`the password is ${world.secret}\nand more`));
    await errorOf(world, 'promote', { environment, version: '2.0.0' });
    const last = world.audit.lines.at(-1)?.entry;
    expect(last).toMatchObject({ kind: 'outcome', exitCode: 3 });
    expect(JSON.stringify(last)).toContain('[secret]');
    expect(JSON.stringify(world.audit.lines)).not.toContain(world.secret);
  });

  test('has no beginning of a secret that a long error is cut in', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.fail('stacks.deploy', new Error(`${'x'.repeat(1960)}${world.secret}`));
    await errorOf(world, 'promote', { environment, version: '2.0.0' });
    expect(world.audit.lines.at(-1)?.entry.error).toMatch(/x\[/);
    expect(JSON.stringify(world.audit.lines)).not.toContain(world.secret.slice(0, 4));
  });

  test('has the beginning of a long reason', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    await world.perform('promote', { environment, version: '2.0.0', reason: 'x'.repeat(300_000) });
    expect(world.audit.lines.at(-1)?.entry.reason).toBe('x'.repeat(1000));
    await acceptLog(world.context(), {
      reason: 'y'.repeat(300_000),
      anchors: [{ number: 90, hash: '0'.repeat(64), from: 'prod' }],
    });
    expect(world.audit.lines.at(-1)?.entry.reason).toBe('y'.repeat(1000));
  });

  test('that gives no answer holds a rollback up for a quarter of a second', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.audit.hangs = true;
    expect(await errorOf(world, 'rollback', rollback)).toBeUndefined();
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    expect(world.audit.waits).toEqual([250, 10_000]);
    expect(world.notes).toContainEqual(expect.stringContaining('gave no answer within 10 s'));
  });

  test('says of a rollback without a cordoned host what its command ends with, and the same of a promotion', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('cordon', { environment, host: 'prod-2' });
    await world.perform('promote', { environment, version: '3.0.0' });
    expect(world.audit.texts().at(-1)).toBe('promote outcome 5');
    const { revision } = await world.perform('rollback', rollback);
    expect(revision?.without).toEqual(['prod-2']);
    expect(world.audit.texts().at(-1)).toBe('rollback outcome 0');
  });

  test('is not believed that more was accepted than it has', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const [first] = world.audit.lines;
    if (!first) throw new Error('nothing is in the log');
    world.audit.lines.splice(2);
    const known = world.audit.newest;
    await world.audit.append((last) => ({ ...first.entry, number: 3, previous: last?.hash ?? '', accepted: 999 }));
    world.audit.newest = known;
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect(error).toMatchObject({ message: 'the audit log was cut, changed, or is an older copy' });
  });

  test.each<[string, unknown]>([
    ['a number that no log has', { number: 10 ** 12, hash: 'f'.repeat(64) }],
    ['the last number that there is', { number: Number.MAX_SAFE_INTEGER, hash: 'f'.repeat(64) }],
    ['a number in a text', { number: '9', hash: 'f'.repeat(64) }],
    ['no hash', { number: 9 }],
    ['none', 7],
  ])('goes on in its numbers where somebody says to know %s, which is loud', async (_what, audit) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    Object.assign(world.place().record, { audit });
    const { length } = world.audit.lines;
    expect(await errorOf(world, 'rollback', rollback)).toBeUndefined();
    expect(world.audit.lines.map(({ entry }) => entry.number)).toEqual(
      [...world.audit.lines.keys()].map((at) => at + 1),
    );
    expect(world.audit.lines).toHaveLength(length + 2);
    const loud = world.notes.filter((note) => note.includes('what prod says to know of it is no entry of any log'));
    expect(loud).toHaveLength(1);
  });

  test('keeps the newest 200 intents open, and counts older ones as abandoned', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const [first] = world.audit.lines;
    if (!first) throw new Error('nothing is in the log');
    const process = { machine: 'elsewhere', pid: 99, pidSpace: 'boot pid:[1]' };
    const open = Array.from({ length: 300 }, (_, index) => ({ number: index + 1, process }));
    await world.audit.append((last) => ({ ...first.entry, number: 301, previous: last?.hash ?? '', open }));
    await world.perform('block', { version: '1.0.0', reason: 'bad' });
    const intent = world.audit.lines.at(-2)?.entry;
    expect(intent?.open).toHaveLength(200);
    expect(intent?.open?.map(({ number }) => number)).toEqual([...open.slice(101).map(({ number }) => number), 302]);
    expect(intent?.abandoned).toEqual(open.slice(0, 101).map(({ number }) => number));
  });

  test('has nothing of a plan, or of what a person said no to', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const before = world.audit.lines.length;
    await world.perform('promote', { environment, version: '2.0.0', planOnly: true });
    world.fail('terminal.confirm', new LockageError('no'));
    await errorOf(world, 'promote', { environment, version: '2.0.0' });
    expect(world.audit.lines).toHaveLength(before);
  });

  test('that cannot be written refuses a promotion before it changes anything, and no rollback', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.audit.broken = broken;
    const was = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect(error).toBeInstanceOf(NotStartedError);
    expect(error?.message).toBe(broken.message);
    expect(world.state()).toBe(was);
    expect(await errorOf(world, 'rollback', rollback)).toBeUndefined();
    expect(world.notes).toContainEqual(expect.stringContaining('AUDIT: this is not in the audit log'));
  });

  test('that is an older copy than this computer has seen refuses a promotion, and makes a rollback loud', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const length = world.audit.lines.length;
    world.audit.lines.splice(2);
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect(error).toMatchObject({ message: 'the audit log was cut, changed, or is an older copy' });
    expect(await errorOf(world, 'rollback', rollback)).toBeUndefined();
    expect(world.notes).toContainEqual(expect.stringContaining(`this computer knows entry ${length}`));
    const intent = world.audit.lines.find(({ entry }) => entry.operation === 'rollback')?.entry;
    expect(intent).toMatchObject({
      number: length + 1,
      missing: expect.arrayContaining([expect.objectContaining({ number: length, from: 'this computer' })]),
    });
  });

  test('that lacks what a state has recorded refuses a promotion, until a person accepts it', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const anchor = world.place().record.audit;
    expect(anchor).toBeDefined();
    // Another computer, which has never seen the log.
    world.audit.lines.splice(1);
    world.audit.newest = undefined;
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect((error as LockageError).details).toEqual([expect.stringContaining(`prod knows entry ${anchor?.number}`)]);
    const anchors = [{ ...(anchor ?? { number: 0, hash: '' }), from: 'prod' }];
    const accepted = await acceptLog(world.context(), { reason: 'of Monday', anchors });
    expect(accepted.missing).toEqual(anchors);
    expect(await errorOf(world, 'promote', { environment, version: '3.0.0' })).toBeUndefined();
    expect((await acceptLog(world.context(), { reason: 'again', anchors })).outcome).toBe('nothing is missing');
  });

  test('keeps an intent without an outcome open when its program is killed, and the next one there closes it', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.at('stacks.deploy', () => world.kill());
    await errorOf(world, 'promote', { environment, version: '2.0.0' });
    const killed = world.audit.lines.findLast(({ entry }) => entry.kind === 'intent')?.entry;
    // What a killed program writes is nothing: its outcome is taken away.
    world.audit.lines = world.audit.lines.filter(({ entry }) => entry.intent !== killed?.number);
    world.audit.newest = undefined;
    world.calm();
    await world.perform('promote', { environment, version: '2.0.0' });
    const next = world.audit.lines.findLast(({ entry }) => entry.kind === 'intent')?.entry;
    expect(next).toMatchObject({ abandoned: [killed?.number], open: [{ number: next?.number }] });
    expect(world.audit.lines.at(-1)?.entry.open).toBeUndefined();
  });

  test('leaves an intent open whose program may be at work, and closes it once that is gone from this computer', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const [first] = world.audit.lines;
    if (!first) throw new Error('nothing is in the log');
    const other = { number: 1, process: { machine: 'desk', pid: 99, pidSpace: 'boot pid:[1]' } };
    const add = (open: readonly object[]) =>
      world.audit.append((last) => ({
        ...first.entry,
        number: (last?.entry.number ?? 0) + 1,
        previous: last?.hash ?? '',
        open: open as never,
      }));
    await add([other]);
    await world.perform('block', { version: '1.0.0', reason: 'bad' });
    expect(world.audit.lines.at(-1)?.entry.open).toEqual([other]);
    world.audit.gone.add(99);
    await world.perform('unblock', { version: '1.0.0' });
    expect(world.audit.lines.at(-1)?.entry.open).toBeUndefined();
    expect(world.audit.lines.at(-2)?.entry.abandoned).toEqual([1]);
  });

  test('that only this computer has is compared with nothing that others know, and anchored nowhere', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.audit.isShared = false;
    world.audit.lines = [];
    world.audit.newest = undefined;
    expect(await errorOf(world, 'promote', { environment, version: '2.0.0' })).toBeUndefined();
    expect(world.place().record.audit).toBeUndefined();
    expect(world.audit.texts()).toEqual(['promote intent', 'promote outcome 0']);
  });

  test('has who tried to bring in what gates refused, and not where it was only planned', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('rollback', rollback);
    const before = world.audit.lines.length;
    await errorOf(world, 'promote', { environment, version: '3.0.0', planOnly: true });
    expect(world.audit.lines).toHaveLength(before);
    await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect(world.audit.lines.at(-1)?.entry).toMatchObject({
      ...{ kind: 'refusal', exitCode: 2, environment, release: { version: '3.0.0' } },
      gates: expect.arrayContaining([expect.objectContaining({ gate: 'hold', met: false })]),
      error: expect.stringContaining('may not enter prod'),
    });
    expect(world.audit.lines).toHaveLength(before + 1);
  });

  test.each([
    ['resume', {}],
    ['cordon', { host: 'prod-2' }],
    ['destroy', { withData: false }],
    ['prune', {}],
    ['drill', { startedAt: 0 }],
  ] as const)('has %s', async (operation, more) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    if (operation === 'resume') await world.perform('rollback', rollback);
    if (operation === 'prune') world.stored.set('prod-2', { images: [], volumes: [{ name: 'left', bytes: 1 }] });
    await errorOf(world, operation, { environment, ...more });
    expect(world.audit.texts().slice(-2)).toEqual([`${operation} intent`, `${operation} outcome 0`]);
  });
});
