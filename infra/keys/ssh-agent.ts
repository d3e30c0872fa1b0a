/*
 * The agent of OpenSSH, as far as signing goes (draft-ietf-sshm-ssh-agent): requests and answers are a length in four bytes,
 * a type in one, and the content. An agent signs the bytes themselves with its raw key, so its signatures are no others than
 * those of a key in a file.
 */
import { connect } from 'node:net';
import { LockageError } from '../../pipelines/errors.ts';
import { sshBlob, sshString, takeSshString, type PublicKey } from '../../pipelines/model/public-key.ts';

const [listRequest, listAnswer, signRequest, signAnswer] = [11, 12, 13, 14];

/** Milliseconds: a key on a token waits for its owner's touch. */
const deadline = 30_000;
/** The longest answer that is read, in bytes. */
const longest = 256 * 1024;

/** Returns whether the agent has a key; false where no agent answers. */
export async function agentHas(key: PublicKey, socket: string | undefined, signal?: AbortSignal): Promise<boolean> {
  if (!socket) return false;
  try {
    const { type, content } = await ask(socket, Buffer.from([listRequest]), signal);
    return type === listAnswer && content.includes(sshString(sshBlob(key)));
  } catch {
    return false;
  }
}

/** Has the agent sign bytes with a key. Returns the signature as `Signer` has it. Throws LockageError. */
export async function signByAgent(
  key: PublicKey,
  bytes: Uint8Array,
  { socket, signal }: { readonly socket: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Buffer> {
  if (!socket) throw refused('SSH_AUTH_SOCK names none');
  const noFlags = Buffer.alloc(4);
  const request = Buffer.concat([Buffer.from([signRequest]), sshString(sshBlob(key)), sshString(bytes), noFlags]);
  const { type, content } = await ask(socket, request, signal);
  if (type !== signAnswer) throw refused('it does not have the key, or its owner did not agree');
  try {
    const { value: signature } = takeSshString(content);
    const { rest } = takeSshString(signature);
    const { value } = takeSshString(rest);
    return key.type === 'ed25519' ? value : derSignature(value);
  } catch {
    throw refused('its answer is no signature');
  }
}

/** Returns an ECDSA signature, two numbers as ssh has them, in DER: `SEQUENCE { r INTEGER, s INTEGER }`. */
function derSignature(blob: Buffer): Buffer {
  const r = takeSshString(blob);
  const s = takeSshString(r.rest);
  // Both write numbers alike: as few bytes as they need, with a zero before a first bit that is set.
  const numbers = [r.value, s.value].map((value) => Buffer.concat([Buffer.from([2, value.length]), value]));
  const content = Buffer.concat(numbers);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

interface Answer {
  readonly type: number;
  readonly content: Buffer;
}

function ask(socket: string, request: Buffer, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      connection.destroy();
      settle();
    };
    const fail = (why: string) => end(() => reject(refused(why)));
    const timer = setTimeout(() => fail(`it gave no answer within ${deadline / 1000} s`), deadline);
    const onAbort = () => end(() => reject(signal?.reason as Error));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort);
    let received = Buffer.alloc(0);
    connection.on('error', ({ code }: NodeJS.ErrnoException) => fail(`it does not answer (${code ?? 'unknown'})`));
    connection.on('close', () => fail('it closed the connection'));
    connection.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length < 5) return;
      const length = received.readUInt32BE(0);
      if (length < 1 || length > longest) return fail('its answer is none of an agent');
      const type = received.readUInt8(4);
      if (received.length >= 4 + length) end(() => resolve({ type, content: received.subarray(5, 4 + length) }));
    });
    connection.write(sshString(request));
  });
}

function refused(why: string): LockageError {
  return new LockageError(`the ssh agent signs nothing: ${why}`, {
    hint: 'Look with `ssh-add -l` whether it has the key, and add it with `ssh-add`.',
  });
}
