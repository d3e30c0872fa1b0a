import { existsSync } from 'node:fs';
import { toolVersions } from '../../infra/system/tool-versions.ts';
import { cachedCaddy, cacheLock } from '../tools/cache.ts';
import { goBuild } from './go-build.ts';
import { withLock } from './lock.mjs';

/**
 * Builds the Caddy for an edge image that no registry provides from its Go modules, when it is first needed. Returns
 * its path.
 */
export async function ensureCaddy(progress: (line: string) => void = () => undefined): Promise<string> {
  if (existsSync(cachedCaddy())) return cachedCaddy();
  return await withLock(cacheLock('caddy'), async () => {
    if (existsSync(cachedCaddy())) return cachedCaddy();
    await goBuild(
      {
        module: 'scripts/setup/go/caddy',
        source: 'github.com/caddyserver/caddy/v2/cmd/caddy',
        set: ['github.com/caddyserver/caddy/v2.CustomVersion', `v${toolVersions.caddy}`],
        // It runs in a container, so it is built for Linux even if this machine runs something else.
        env: { GOOS: 'linux' },
        out: cachedCaddy(),
        instead: 'name an edge image that this machine can pull.',
      },
      progress,
    );
    return cachedCaddy();
  });
}
