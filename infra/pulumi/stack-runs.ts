import { mkdir, realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import type { HeldLock } from '../context/held-lock.ts';
import { isAlive } from '../system/is-alive.ts';
import { killLeft, killSession } from '../system/process.ts';
import { thisProcess } from '../system/this-process.ts';
import { runPulumi, settingsIn, type PulumiResult, type PulumiSettings, type RunOptions } from './cli.ts';
import { lockHolder, PulumiError, type LockHolder } from './errors.ts';
import { forgetEnded, forgetRun, markRun, marksLock, runsIn, type RunMark } from './run-marks.ts';
import { removeLocksOf } from './stale-lock.ts';
import { readStack } from './state.ts';

/** Milliseconds for a run of Pulumi to end whose provider has ended. */
const lastMoments = 15_000;

/** The runs of Pulumi on a project's stacks, and the locks that it keeps of them in the backend. */
export class StackRuns {
  readonly #settings: PulumiSettings;
  readonly #project: string;
  readonly #lock: HeldLock | undefined;

  /** `lock`: that of the environment whose stacks these are */
  constructor(settings: PulumiSettings, project: string, lock: HeldLock | undefined) {
    this.#settings = settings;
    this.#project = project;
    this.#lock = lock;
  }

  /**
   * Runs Pulumi on a stack, with a mark of the run in the stack's folder. Once the environment's lock is lost, the run is
   * killed at once, before it can write its state over another one's. Throws what the lock was lost by.
   */
  async run(stack: string, argv: readonly string[], options: RunOptions = {}): Promise<PulumiResult> {
    await this.#lock?.check();
    const settings = settingsIn(this.#settings, stack);
    const here = await thisProcess();
    const ends: (() => Promise<unknown>)[] = [];
    let lost: Error | undefined;
    const onStart = (pid: number) => {
      options.onStart?.(pid);
      const marking = markRun(settings.folder, { ...here, pid, parent: here.pid, startedAt: Date.now() });
      // It is awaited when the run has ended.
      marking.catch(() => undefined);
      const stop = this.#lock?.onLost((error) => {
        lost = error;
        killSession(pid);
        // It does not remove its lock itself then.
        ends.push(() => this.#removeLocks(stack, { machine: here.machine, pid }));
      });
      ends.push(
        async () => stop?.(),
        () => marking,
        () => forgetRun(settings.folder, pid),
      );
    };
    try {
      const result = await runPulumi(settings, argv, { ...options, onStart });
      if (lost) throw lost;
      // Whoever has taken over here has killed it.
      if (result.code !== 0) await this.#lock?.check();
      return result;
    } finally {
      // What one of them cannot do keeps neither the others nor the result.
      for (const end of ends) await end().catch(() => undefined);
    }
  }

  /**
   * Does the work again where a run of ours that was killed here has left Pulumi's lock, once its process is gone. A lock of
   * anybody else stands, also one that was taken meanwhile: its process may have the same number in another container of
   * the same name.
   */
  async afterStaleLock(stack: string, work: () => Promise<unknown>): Promise<void> {
    const print = console.error;
    // Pulumi's provider server prints the stack of every error it passes on; the error itself is what we throw.
    console.error = () => undefined;
    try {
      for (let before: LockHolder | undefined, tries = 1; ; tries++) {
        try {
          await work();
          break;
        } catch (error) {
          const holder = error instanceof PulumiError ? lockHolder(error.message) : undefined;
          if (!holder || tries > 5 || !(await this.#isGone(stack, holder))) throw error;
          await this.#lift(stack, holder, before);
          before = holder;
        }
      }
    } finally {
      console.error = print;
    }
    await this.#forgetEnded(stack);
  }

  /** Removes marks of runs that were killed, once nobody's lock of the stack stands. */
  async #forgetEnded(stack: string): Promise<void> {
    await forgetEnded(settingsIn(this.#settings, stack).folder, await thisProcess()).catch(() => undefined);
  }

  async #lift(stack: string, holder: LockHolder, before: LockHolder | undefined): Promise<void> {
    const { folder } = settingsIn(this.#settings, stack);
    killLeft(holder.pid, folder);
    if (await this.#removeLocks(stack, holder)) return forgetRun(folder, holder.pid);
    // One that ended in good order took its lock with it: what is still there after its end is left.
    const isLeft = holder.pid === before?.pid && holder.since === before.since;
    if (isLeft) await this.#cancel(stack);
  }

  /** Returns whether a lock is of a run that was started from here, and has ended by now. */
  async #isGone(stack: string, holder: LockHolder): Promise<boolean> {
    const runs = await runsIn(settingsIn(this.#settings, stack).folder);
    return marksLock(runs, holder, await thisProcess()) && processEnds(holder.pid);
  }

  /**
   * Lifts all of Pulumi's locks of a stack. A run that is ending here, as whoever started it was killed, is waited for; one
   * of somebody who is alive, and was overtaken, is killed. A stack that does not exist is fine.
   */
  async cancelLocks(stack: string): Promise<void> {
    const settings = settingsIn(this.#settings, stack);
    const here = await thisProcess();
    const isHere = ({ machine, pidSpace }: RunMark) => machine === here.machine && pidSpace === here.pidSpace;
    const runs = (await runsIn(settings.folder)).filter(isHere);
    // Whoever is stopped may be killed later: its run would then record what it knew over what is recorded by now.
    for (const { pid, parent } of runs) if (parent !== here.pid && isAlive(parent)) killLeft(pid, settings.folder);
    await Promise.all(runs.map(({ pid }) => processEnds(pid)));
    if (await this.#removeLocks(stack)) return;
    if ((await readStack(settings, this.#project, stack)) === undefined) return;
    await mkdir(settings.folder, { recursive: true, mode: 0o700 });
    await this.#cancel(stack);
  }

  /**
   * Kills the runs on a stack that a process of this computer has started, which would record what it knew over what is known by
   * then. Throws LockageError where one of them stays.
   */
  async endRunsOf(stack: string, parent: number): Promise<void> {
    const { folder } = settingsIn(this.#settings, stack);
    const here = await thisProcess();
    const isIts = (run: RunMark) =>
      run.parent === parent && run.machine === here.machine && run.pidSpace === here.pidSpace;
    const runs = (await runsIn(folder)).filter(isIts);
    await Promise.all(runs.map(({ pid }) => this.#end(stack, pid)));
  }

  /** Lifts the lock that one run has on a stack, which is ended first where it runs here. Throws LockageError where it stays. */
  async liftLock(stack: string, holder: LockHolder): Promise<void> {
    const runs = await runsIn(settingsIn(this.#settings, stack).folder);
    if (marksLock(runs, holder, await thisProcess())) await this.#end(stack, holder.pid);
    await this.#removeLocks(stack, holder);
  }

  async #end(stack: string, pid: number): Promise<void> {
    killLeft(pid, await realpath(settingsIn(this.#settings, stack).folder));
    if (await processEnds(pid)) return;
    throw new LockageError(`process ${pid}, a Pulumi that works on ${stack}, does not end`, {
      hint: `End it, and try again: \`kill -KILL ${pid}\`.`,
    });
  }

  async #cancel(stack: string): Promise<void> {
    await this.run(stack, ['cancel', '--yes', '--stack', stack]);
  }

  #removeLocks(stack: string, holder?: Pick<LockHolder, 'machine' | 'pid'>): Promise<boolean> {
    return removeLocksOf(this.#settings, { project: this.#project, stack }, holder);
  }
}

/** Returns whether a process of this machine is gone, waiting for it for a while. */
async function processEnds(pid: number): Promise<boolean> {
  for (const end = performance.now() + lastMoments; ;) {
    if (!isAlive(pid)) return true;
    if (performance.now() >= end) return false;
    await sleep(250);
  }
}
