import { table } from '../../tools/format.ts';
import type { PublicKey } from '../../../pipelines/model/public-key.ts';
import type { TrustedKey } from '../../../pipelines/model/trusted-key.ts';

/** A key of the project, and whether this user can sign with it from here. */
export interface ListedKey extends TrustedKey {
  readonly atHand: boolean;
}

/** Returns what `lockage key new` prints: where the key is, and the lines that make it count. */
export function newKeyLines({ name, file, keyId, pem }: PublicKey & { name: string; file: string }): string[] {
  return [
    `${file}  the private key of ${name}: it stays with its owner`,
    `key id ${keyId}`,
    'in lockage.yaml, so that its signatures count:',
    'keys:',
    `  ${name}:`,
    '    public: |',
    ...pem
      .trim()
      .split('\n')
      .map((line) => `      ${line}`),
    '    signs: [approval] # or provenance, release, … for who builds',
  ];
}

/** Returns one line for each key. */
export function keyLines(keys: readonly ListedKey[]): string[] {
  if (keys.length === 0) return ['no keys: `lockage key new NAME` makes one'];
  return table(keys.map((key) => [key.name, key.type, key.keyId.slice(0, 16), signsText(key), stateText(key)]));
}

function signsText({ signs, environments }: ListedKey): string {
  return environments ? `${signs.join(', ')} for ${environments.join(', ')}` : signs.join(', ');
}

function stateText({ revoked, from, until, atHand }: ListedKey): string {
  if (revoked !== undefined) return `revoked: ${revoked}`;
  const times = [
    ...(from === undefined ? [] : [`from ${dayOf(from)}`]),
    ...(until === undefined ? [] : [`until ${dayOf(until)}`]),
  ];
  return [...times, ...(atHand ? ['at hand'] : [])].join(', ');
}

function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}
