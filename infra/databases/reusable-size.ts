import { dataFolder } from '../../pipelines/databases/fork-scripts.ts';
import { kindNamed, type DatabaseKind, type Login } from '../../pipelines/databases/kinds.ts';
import type { Engine } from '../docker/api/client.ts';

/** A server that is about to be baked, and how its own client logs in. */
interface Server {
  /** its container */
  readonly name: string;
  readonly kind: DatabaseKind;
  readonly login: Login;
  /** variables of its client */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns the KiB of the data where a fork can be made pristine by copying it: all of it lies in its folder, as that of tablespaces
 * does not, the image has the programs for it, and no account has a password but the one that gets another. Throws the signal's
 * reason alone: without a size, forks take longer, and a bake is worth more than that.
 */
export async function reusableSize(
  engine: Engine,
  { name, kind, login, env }: Server,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { reuse, client } = kindNamed(kind);
  if (!reuse) return undefined;
  // Files come and go while the server runs, which both programs may take for a failure.
  const size = 'links=$(find "$0" -ignore_readdir_race -type l) && [ -z "$links" ] && { du -sk "$0" || true; }';
  try {
    const { code, stdout } = await engine.exec(name, ['sh', '-c', `${reuse.probe} && ${size}`, dataFolder], { signal });
    const [, used] = /^(\d+)\s/.exec(stdout) ?? [];
    if (code !== 0 || used === undefined) return undefined;
    const question = Buffer.from(reuse.otherLogins(login));
    const others = await engine.exec(name, client(login), { stdin: question, signal, env });
    return others.code === 0 && others.stdout.trim() === '0' ? used : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
