import { setMaxListeners } from 'node:events';
import { InterruptedError } from '../../pipelines/errors.ts';

/** The handlers of requests to stop a command. */
export interface InterruptHandlers {
  /** the first time, when the operation goes on to its next safe point */
  readonly onFirst: () => void;
  /** the second time, when it must end at once */
  readonly onSecond: () => void;
}

/** Returns a signal that aborts at the first SIGINT, SIGTERM or SIGHUP. */
export function interruptSignal({ onFirst, onSecond }: InterruptHandlers): AbortSignal {
  const controller = new AbortController();
  // Every host of every step listens to it; that is not a leak.
  setMaxListeners(0, controller.signal);
  const stop = () => {
    if (controller.signal.aborted) return onSecond();
    onFirst();
    controller.abort(new InterruptedError('interrupted'));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  return controller.signal;
}
