import { describe, expect, test } from 'vitest';
import { mergeDaemonConfig, type DaemonSettings } from '../../../pipelines/hosts/daemon-config.ts';
import { preparationOf, type HostProbe } from '../../../pipelines/hosts/preparation.ts';
import { refusal } from '../model/values.ts';

const wish = { insecureRegistries: [], swarm: false };
const wanted = {
  'log-driver': 'json-file',
  'log-opts': { 'max-size': '10m', 'max-file': '3' },
  'no-new-privileges': true,
  'live-restore': true,
};
const merged = (settings: unknown, changes: Partial<DaemonSettings> = {}) => {
  const { text, ...rest } = mergeDaemonConfig(JSON.stringify(settings), { ...wish, ...changes });
  return { settings: text === undefined ? undefined : JSON.parse(text), ...rest };
};

describe('the settings of an engine', () => {
  test.each([[undefined], [''], ['{}']])('are all added to %j', (text) => {
    const change = mergeDaemonConfig(text, wish);
    expect(JSON.parse(change.text ?? '')).toEqual(wanted);
    expect(change.added).toEqual([
      '"log-driver": "json-file"',
      '"log-opts": {"max-size":"10m","max-file":"3"}',
      '"no-new-privileges": true',
      '"live-restore": true',
    ]);
  });

  test('stay as they are once they are as they should be', () => {
    expect(merged({ ...wanted, 'data-root': '/srv/docker' })).toEqual({
      settings: undefined,
      added: [],
      kept: [],
      liveRestore: true,
    });
  });

  test('keep what somebody set otherwise, and say so', () => {
    const theirs = { 'log-driver': 'journald', 'live-restore': false, debug: true };
    expect(merged(theirs)).toEqual({
      settings: { ...theirs, 'no-new-privileges': true },
      added: ['"no-new-privileges": true'],
      kept: ['"log-driver": "journald"', '"live-restore": false'],
      liveRestore: false,
    });
  });

  test('keep limits of logs that are set, and get the missing one', () => {
    expect(merged({ ...wanted, 'log-opts': { 'max-size': '1g', tag: 'x' } }).settings['log-opts']).toEqual({
      'max-size': '1g',
      'max-file': '3',
      tag: 'x',
    });
  });

  test('join registries without TLS', () => {
    const insecureRegistries = ['10.0.0.1:5000', '10.0.0.2:5000'];
    const theirs = { ...wanted, 'insecure-registries': ['10.0.0.3:5000', '10.0.0.1:5000'] };
    expect(merged(theirs, { insecureRegistries }).settings['insecure-registries']).toEqual([
      '10.0.0.3:5000',
      '10.0.0.1:5000',
      '10.0.0.2:5000',
    ]);
  });

  test('leave live-restore out of a swarm, which does not start with it', () => {
    expect(merged({}, { swarm: true }).settings).not.toHaveProperty('live-restore');
  });

  test.each([['{ "debug": true, }'], ['[]'], ['null']])('that cannot be understood are left alone: %s', (text) => {
    expect(refusal(() => mergeDaemonConfig(text, wish))).toContain('is not JSON that can be added to');
  });
});

describe('a machine', () => {
  const plain: HostProbe = {
    distribution: ['debian'],
    system: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'x86_64',
    user: 'deploy',
    root: true,
    systemd: true,
    groups: ['deploy'],
    unread: false,
    swarm: false,
    running: 0,
  };
  const engine = { version: '20.10.24', program: '/usr/sbin/dockerd', active: true };
  const ready: HostProbe = { ...plain, engine, groups: ['docker'], settings: JSON.stringify(wanted) };
  const actions = (changes: Partial<HostProbe>, registries: string[] = []) =>
    preparationOf({ ...plain, ...changes }, registries).steps.map(({ action }) => action);

  test.each<[string, Partial<HostProbe>, string[]]>([
    ['as it was installed', {}, ['configure', 'install', 'join']],
    ['with an engine', { engine }, ['configure', 'restart', 'join']],
    ['with an engine that does not run', { engine: { ...engine, active: false } }, ['configure', 'start', 'join']],
    ['that root logs in to', { ...ready, user: 'root', groups: [] }, ['none', 'none', 'none']],
    ['that is prepared', ready, ['none', 'none', 'none']],
    ['whose preparation was interrupted', { ...ready, unread: true }, ['none', 'restart', 'none']],
  ])('%s', (_case, changes, expected) => {
    expect(actions(changes)).toEqual(expected);
  });

  test('a new registry without TLS restarts the engine, and says what that costs', () => {
    const { steps, liveRestore } = preparationOf({ ...ready, running: 2 }, ['10.0.0.1:5000']);
    expect(liveRestore).toBe(true);
    expect(steps.map(({ action, text }) => `${action}: ${text}`)).toEqual([
      'configure: add "insecure-registries": ["10.0.0.1:5000"]',
      'restart: restart 20.10.24 with its new settings; containers that run there (2) go on',
      'none: may use the engine',
    ]);
    const stopping = preparationOf({ ...ready, settings: '{ "live-restore": false }', running: 1 }, []);
    expect([stopping.liveRestore, stopping.steps[1]?.text]).toEqual([
      false,
      'restart 20.10.24 with its new settings; containers that run there (1) stop for a moment',
    ]);
  });

  test('that cannot become a host is refused with all reasons', () => {
    const bad: Partial<HostProbe> = { distribution: ['fedora'], system: 'Fedora 42', root: false, systemd: false };
    const old = { version: '19.03.5', program: '/snap/bin/dockerd', active: true };
    expect(refusal(() => preparationOf({ ...plain, ...bad, engine: old }, [])).split(' | ')).toEqual([
      'the machine cannot be prepared: nothing was changed on it',
      'it runs Fedora 42: only Debian and Ubuntu can be prepared',
      'deploy is not root, and has no sudo without a password',
      'systemd does not run there, which starts the engine',
      'its Docker Engine 19.03.5 is older than 20.10',
      'its Docker Engine is a snap, which reads its settings from elsewhere',
      expect.stringContaining('by hand'),
    ]);
  });

  test('that is like Debian is taken for one', () => {
    expect(actions({ distribution: ['linuxmint', 'ubuntu', 'debian'] })[0]).toBe('configure');
  });
});
