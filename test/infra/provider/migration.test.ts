import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import { EngineError, type CallOptions, type Engine } from '../../../infra/docker/api/client.ts';
import { labels, ownerLabels } from '../../../infra/docker/labels.ts';
import { forgetMigration, runMigration } from '../../../infra/provider/migration.ts';
import { OvertakenError, WorkloadFailedError } from '../../../pipelines/errors.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { host, spec } from '../../pipelines/model/values.ts';

/** A host's engine with one container at most, which runs for a while and ends with a code. */
class OneContainer {
  readonly calls: string[] = [];
  state: 'none' | 'created' | 'running' | 'exited' = 'none';
  /** milliseconds that it runs */
  runs = 30;
  code = 0;
  /** no longer than it is asked to */
  waitsAsAsked = false;
  /** the connection is lost, from that call on */
  lost = false;
  /** the answer to that call is lost, once */
  losesAnswerOf = '';
  /** whether it was asked once more when the time was over */
  asksLast = false;
  /** the migration of another release, which runs there as well */
  readonly beside: object[] = [];
  /** before that call */
  before: (name: string) => void = () => undefined;

  start(): void {
    this.state = 'running';
    setTimeout(() => (this.state = this.state === 'running' ? 'exited' : this.state), this.runs).unref();
  }

  engine(): Engine {
    const broke = (name: string) => new EngineError('prod-1', name, 'the connection to the Docker Engine broke');
    const call = <T>(name: string, answer: () => T) => {
      this.before(name);
      this.calls.push(name);
      if (this.lost) throw broke(name);
      const answered = answer();
      if (this.losesAnswerOf !== name) return answered;
      this.losesAnswerOf = '';
      throw broke(name);
    };
    return {
      host: 'prod-1',
      inspectContainer: async (_name: string, options: CallOptions = {}) => {
        this.asksLast ||= options.deadline !== undefined && options.signal === undefined;
        return call('inspect', () => (this.state === 'none' ? undefined : this.#details()));
      },
      listContainers: async () => this.beside,
      inspectImage: async () => undefined,
      createContainer: async () =>
        call('create', () => {
          this.state = 'created';
          return 'id';
        }),
      startContainer: async () => call('start', () => this.start()),
      stopContainer: async () => call('stop', () => (this.state = 'exited')),
      removeContainer: async () => call('remove', () => (this.state = 'none')),
      waitContainer: async (_name: string, { signal, deadline = 0 }: CallOptions) => {
        call('wait', () => undefined);
        if (this.waitsAsAsked) {
          await sleep(deadline);
          throw new EngineError('prod-1', 'wait', `no answer within ${deadline / 1000} s`);
        }
        while (this.state === 'running') {
          await sleep(5);
          signal?.throwIfAborted();
          call('waits', () => undefined);
        }
        // An engine says so also of one that was never started.
        return this.state === 'created' ? 0 : this.code;
      },
      logs: async function* () {
        yield { stream: 'stdout', line: 'migrating' };
      },
    } as unknown as Engine;
  }

  #details() {
    const own = { [labels.app]: 'shop', [labels.environment]: 'prod', [labels.spec]: fingerprint(inputs.spec) };
    const { state, code } = this;
    const State = { Status: state, Running: state === 'running', Paused: false, ExitCode: code, StartedAt: 'then' };
    return { Id: 'id', RestartCount: 0, State, Config: { Labels: own } };
  }
}

const inputs = { app: 'shop', environment: 'prod', host: host('prod-1'), spec: spec('migration-2.0.0'), timeout: 400 };
let there: OneContainer;
let steps: string[];
let stop: AbortController;
let context: ProviderContext;
beforeEach(() => {
  there = new OneContainer();
  steps = [];
  stop = new AbortController();
  const engine = there.engine();
  context = {
    engine: async () => engine,
    progress: ({ step }: { step: string }) => steps.push(step),
    signal: stop.signal,
    checkLock: async () => undefined,
    mask: (text: string) => text,
  } as unknown as ProviderContext;
});

const changes = () => there.calls.filter((call) => ['create', 'start', 'stop', 'remove'].includes(call));
const errorOf = async (): Promise<unknown> => runMigration(context, inputs).catch((error: unknown) => error);

describe('a migration', () => {
  test('that ends well keeps its container until that is recorded', async () => {
    await runMigration(context, inputs);
    expect([changes(), there.state, steps.at(-1)]).toEqual([['create', 'start'], 'exited', 'migrated']);
    await forgetMigration(context, inputs);
    expect(there.state).toBe('none');
  });

  test('that has ended well before the operator was killed is not run again', async () => {
    there.state = 'exited';
    await runMigration(context, inputs);
    expect([changes(), steps]).toEqual([[], ['was migrated before']]);
  });

  test.each([
    ['by a power cut of its host', 255],
    ['by a restart of the engine', 137],
    ['by a host that was shut down', 143],
  ])('that was killed %s while nobody waited is made again by the same command', async (_how, code) => {
    there.state = 'exited';
    there.code = code;
    there.before = (name) => {
      if (name === 'start') there.code = 0;
    };
    await runMigration(context, inputs);
    expect([changes(), steps.at(-1)]).toEqual([['remove', 'create', 'start'], 'migrated']);
  });

  test('that was killed while the command waited is told, and made again by the next one', async () => {
    there.code = 255;
    expect(await errorOf()).toMatchObject({ message: 'prod-1: migration 2.0.0 failed (exit code 255)' });
    there.code = 0;
    await runMigration(context, inputs);
    expect(changes()).toEqual(['create', 'start', 'remove', 'create', 'start']);
  });

  test('that was created and never started, as a power cut may leave it, does not count as one that ended well', async () => {
    there.state = 'created';
    await runMigration(context, inputs);
    expect([changes(), steps.at(-1)]).toEqual([['remove', 'create', 'start'], 'migrated']);
  });

  test('that ends between two looks at it is not run once more', async () => {
    there.start();
    there.before = () => {
      if (there.calls.length === 1) there.state = 'exited';
    };
    await runMigration(context, inputs);
    expect([changes(), steps]).toEqual([[], ['migrated']]);
  });

  test.each([1, 150])('whose start is not answered is found again, after %d ms of running', async (runs) => {
    there.runs = runs;
    there.losesAnswerOf = 'start';
    await runMigration(context, { ...inputs, timeout: 5000 });
    expect([changes(), steps.at(-1)]).toEqual([['create', 'start'], 'migrated']);
  });

  test('that cannot be started is told, and removed', async () => {
    there.before = (name) => {
      if (name === 'start') throw new EngineError('prod-1', 'start', 'no such file', { status: 400 });
    };
    expect(await errorOf()).toMatchObject({
      message: expect.stringMatching(/^prod-1: migration-2.0.0 does not start/),
    });
    expect(there.state).toBe('none');
  });

  test('that failed meanwhile is told with its log, and removed', async () => {
    there.state = 'exited';
    there.code = 7;
    expect(await errorOf()).toMatchObject({
      message: 'prod-1: migration 2.0.0 failed before (exit code 7)',
      details: ['last log lines of migration-2.0.0:', '  migrating'],
    });
    expect([changes(), there.state]).toEqual([['remove'], 'none']);
  });

  test('that runs already is joined', async () => {
    there.start();
    await runMigration(context, inputs);
    expect([changes(), steps]).toEqual([[], ['migrated']]);
  });

  test('of another release that still runs is named, and no second one is started', async () => {
    const Labels = { ...ownerLabels('shop', 'prod', 'release'), [labels.release]: '1.5.0' };
    const since = Date.parse('2026-01-02T03:04:00Z') / 1000;
    there.beside.push({ Names: ['/shop-prod-migration-1234abcd'], Labels, State: 'running', Created: since });
    expect(await errorOf()).toMatchObject({
      message: 'the migration of 1.5.0 still runs in prod',
      details: ['prod-1: shop-prod-migration-1234abcd of 1.5.0, since 2026-01-02 03:04 UTC'],
    });
    expect(changes()).toEqual([]);
  });

  test('that runs already is joined also where another one came beside it', async () => {
    const Labels = { ...ownerLabels('shop', 'prod', 'release'), [labels.release]: '1.5.0' };
    there.beside.push({ Names: ['/shop-prod-migration-1234abcd'], Labels, State: 'running', Created: 0 });
    there.start();
    await runMigration(context, inputs);
    expect([changes(), steps]).toEqual([[], ['migrated']]);
  });

  test('whose container is recorded and runs is not removed', async () => {
    there.start();
    await forgetMigration(context, inputs);
    expect(there.state).toBe('running');
  });

  test('is found again by its name when the connection was lost', async () => {
    there.runs = 300;
    const asked = runMigration(context, { ...inputs, timeout: 5000 });
    await sleep(50);
    there.lost = true;
    await sleep(100);
    there.lost = false;
    await asked;
    expect([changes(), steps.at(-1)]).toEqual([['create', 'start'], 'migrated']);
  });

  test('of a host that stays away is left alone, and said to be unknown', async () => {
    there.runs = 60_000;
    const asked = errorOf();
    await sleep(50);
    there.lost = true;
    const error = await asked;
    expect(error).toBeInstanceOf(WorkloadFailedError);
    expect(error).toMatchObject({
      message: 'prod-1: the connection was lost while migration 2.0.0 ran',
      details: [
        expect.stringContaining('it was not found again within 0.4 s'),
        'nothing has stopped it: it may run to its end',
      ],
    });
    expect(changes()).toEqual(['create', 'start']);
  });

  test('whose time is over is stopped, and said to be late', async () => {
    there.runs = 60_000;
    there.waitsAsAsked = true;
    expect(await errorOf()).toMatchObject({ message: 'prod-1: migration 2.0.0 did not end within 0.4 s' });
    expect(changes()).toEqual(['create', 'start', 'stop', 'remove']);
  });

  test.each(['start', 'inspect'])(
    'that an engine did not start in its time, as it did not answer %s, is none that ended well',
    async (call) => {
      there.before = (name) => {
        // It is placed, and then the engine answers only the question that comes when the time is over: it has no signal.
        if (name === call && there.state === 'created' && !there.asksLast)
          throw new EngineError('prod-1', name, 'no answer');
      };
      expect(await errorOf()).toMatchObject({
        message: 'prod-1: migration 2.0.0 was not started within 0.4 s',
        details: [expect.stringContaining('no answer')],
      });
      expect([changes().at(-1), there.state, steps.includes('migrated')]).toEqual(['remove', 'none', false]);
    },
  );

  test('of who was overtaken while it was placed is not started', async () => {
    const overtaken = new OvertakenError('another operation has taken over prod');
    const checked = {
      ...context,
      checkLock: async () => {
        if (there.state === 'created') throw overtaken;
      },
    };
    await expect(runMigration(checked, inputs)).rejects.toBe(overtaken);
    expect(changes()).toEqual(['create']);
  });

  test('is stopped when the operator stops', async () => {
    there.runs = 60_000;
    const asked = errorOf();
    await sleep(50);
    stop.abort(new Error('interrupted'));
    expect(await asked).toMatchObject({ message: 'interrupted' });
    expect(changes()).toEqual(['create', 'start', 'stop', 'remove']);
  });
});
