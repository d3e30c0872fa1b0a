import { expect, test } from 'vitest';
import type { Engine, LogOptions } from '../../../infra/docker/api/client.ts';
import type { Connections } from '../../../infra/docker/connections.ts';
import { followLogs, sourceOf, type LogReader } from '../../../infra/hosts/log-stream.ts';
import { environment, placed, record, revision, rolledBackTo } from '../../pipelines/model/values.ts';

const hour = 3_600_000;
const first = revision(1, '1.0.0');
const second = revision(2, '2.0.0');
const containers = [placed('web-1.0.0'), placed('web-2.0.0')];

/** Follows the logs of a host of which this is the clock, across a rollback; each line of its containers is dated by that clock. */
async function followed(clock: () => Date | undefined): Promise<string[]> {
  const there = () => (clock() ?? new Date()).getTime();
  const lines = { 'web-1.0.0': [{ at: there() - 600_000, line: 'before' }], 'web-2.0.0': [] as Line[] };
  const end = new AbortController();
  const { signal } = end;
  let isBack = false;
  const engine = {
    info: async () => ({ ...(clock() ? { SystemTime: clock()?.toISOString() } : {}) }),
    listContainers: async () =>
      containers.map(({ spec }) => ({
        ...{ Id: spec.name, Names: [`/${spec.name}`], State: 'running' },
        Labels: { 'lockage.role': spec.role, 'lockage.release': spec.version },
      })),
    logs: async function* (name: keyof typeof lines, { since, tail }: LogOptions) {
      let told = tail === 0 ? lines[name].length : 0;
      while (!signal.aborted) {
        for (const { at, line } of lines[name].slice(told)) {
          if (since === undefined || at >= since.getTime())
            yield { stream: 'stdout' as const, line: `${name}: ${line}` };
        }
        told = lines[name].length;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  } as unknown as Engine;
  const heard: string[] = [];
  const rollBack = () => {
    isBack = true;
    lines['web-1.0.0'].push({ at: there(), line: 'at the switch' });
  };
  const reader: LogReader = {
    ...{ app: 'shop', environment: environment(), selection: {}, tail: 0, signal },
    connections: { engine: async () => engine } as unknown as Connections,
    record: async () => {
      const recorded = record(isBack ? [first, second, rolledBackTo(3, first)] : [first, second], containers);
      // The next look finds what happens right after this one.
      if (!isBack) rollBack();
      return recorded;
    },
    onLine: (_source, _stream, line) => void heard.push(line),
    onNew: () =>
      void setTimeout(() => {
        lines['web-1.0.0'].push({ at: there(), line: 'later' });
        setTimeout(() => end.abort(), 100);
      }, 100),
    onTrouble: (_source, error) => {
      heard.push(String(error));
      end.abort();
    },
  };
  await followLogs(reader, [sourceOf(placed('web-2.0.0'))]);
  return heard;
}

interface Line {
  readonly at: number;
  readonly line: string;
}

test.each([
  ['an hour behind', () => new Date(Date.now() - hour)],
  ['an hour ahead', () => new Date(Date.now() + hour)],
])('a standby that serves again is read from then on, by its host’s clock %s', async (_what, clock) => {
  expect(await followed(clock)).toEqual(['web-1.0.0: at the switch', 'web-1.0.0: later']);
});

test('a standby whose host does not tell the time is read from when it is seen to serve', async () => {
  expect(await followed(() => undefined)).toEqual(['web-1.0.0: later']);
});
