import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../pipelines/errors.ts';
import type { SilentPort, Visit, VisitOptions } from '../../edge/edge.ts';
import { accepts } from './process.ts';

/** Milliseconds for one answer. */
const longest = 3000;
/** Milliseconds between two requests to a port that did not answer. */
const pause = 200;

/**
 * Asks a load balancer as its visitors do: each port for its page, once or until it answers. A redirect is an answer, and
 * is not followed. Returns the ports that nobody is served at. Throws when the signal is aborted.
 */
export async function visitLoadBalancer(
  address: string,
  visits: readonly Visit[],
  { seconds = 0, signal }: VisitOptions = {},
): Promise<SilentPort[]> {
  const end = performance.now() + seconds * 1000;
  const asked = await Promise.all(
    visits.map(async (visit) => {
      for (;;) {
        const said = await wrongWith(address, visit);
        signal?.throwIfAborted();
        if (said === undefined) return [];
        if (performance.now() >= end) return [{ port: visit.port, said }];
        await sleep(pause, undefined, { signal });
      }
    }),
  );
  return asked.flat();
}

/** Returns what is wrong with a port's answer, or undefined. */
async function wrongWith(address: string, { port, page }: Visit): Promise<string | undefined> {
  if (!page) return (await accepts(address, port, longest)) ? undefined : 'connection refused';
  try {
    const status = await statusOf({ address, port, page });
    return status >= 200 && status < 400 ? undefined : `answers ${status}`;
  } catch (error) {
    return messageOf(error);
  }
}

type Page = Required<Pick<Visit, 'port' | 'page'>> & { readonly address: string };

function statusOf({ address, port, page: { path, host } }: Page): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'close', ...(host === undefined ? {} : { host }) };
    const signal = AbortSignal.timeout(longest);
    const asking = request({ host: address, port, path, headers, agent: false, signal }, (answer) => {
      // What it says besides is nobody's business here, however long it is.
      answer.destroy();
      resolve(answer.statusCode ?? 0);
    });
    asking.on('error', (error) => reject(signal.aborted ? new Error(`no answer within ${longest / 1000} s`) : error));
    asking.end();
  });
}
