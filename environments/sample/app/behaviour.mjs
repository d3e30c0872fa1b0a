/**
 * How this build misbehaves, for showing what a pipeline does about it. `behaviour.json` is baked into the image:
 * `{"version": "1.2.0", "unhealthy": true}` is never healthy, `{"unhealthyOn": "prod-2"}` on that host only, and
 * `{"crashAfterMs": 5000}` ends that long after its first visitor came, with `"crashIn": "prod"` in that environment only.
 */
import { readFileSync } from 'node:fs';

const baked = JSON.parse(readFileSync(new URL('behaviour.json', import.meta.url), 'utf8'));

export const host = process.env.LOCKAGE_HOST ?? 'localhost';
export const environment = process.env.LOCKAGE_ENVIRONMENT ?? 'none';
export const built = baked.version ?? 'unversioned';
export const version = process.env.LOCKAGE_VERSION ?? built;
export const unhealthy = baked.unhealthy === true || baked.unhealthyOn === host;

let visitedBefore = false;

/** Called when a visitor comes. */
export function visited() {
  if (visitedBefore) return;
  visitedBefore = true;
  if (baked.crashAfterMs === undefined || (baked.crashIn ?? environment) !== environment) return;
  setTimeout(() => {
    console.error('crashing, as behaviour.json says');
    process.exit(1);
  }, baked.crashAfterMs);
}
