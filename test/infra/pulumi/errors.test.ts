import { describe, expect, test } from 'vitest';
import { PulumiError, translate } from '../../../infra/pulumi/errors.ts';
import { BrokenError, LockedError, NotStartedError } from '../../../pipelines/errors.ts';

const locked = (where: string) =>
  `error: the stack is currently locked by 1 lock(s).\n  ${where}/.pulumi/locks/organization/shop/x.json: created by ann@laptop (pid 42) at 2026-01-02T03:04:05Z`;

describe('what Pulumi says of a state', () => {
  test.each([
    ['file:///srv/state', locked('file:///srv/state'), 'by ann@laptop (process 42) since 2026-01-02T03:04:05Z'],
    ['a bucket', locked('s3://state'), 'by ann@laptop (process 42) since 2026-01-02T03:04:05Z'],
    ['its service', 'error: [409] Conflict: Another update is currently in progress.', 'by somebody else'],
  ])('that somebody changes in %s is that it is locked, and who may lift that', (_where, said, whose) => {
    const hints = { releases: '`lockage unlock --records`', prod: '`pulumi cancel --stack prod`' };
    for (const [stack, hint] of Object.entries(hints)) {
      const error = translate(new PulumiError(said), stack);
      expect(error).toBeInstanceOf(LockedError);
      expect(error).toMatchObject({
        message: `${stack} is being changed ${whose}`,
        hint: expect.stringContaining(hint),
      });
    }
  });

  test.each([
    ['error: incorrect passphrase', NotStartedError],
    ['error: [409] Conflict: The stack has resources', BrokenError],
    ['error: update failed', BrokenError],
  ])('that is %j is no lock', (said, Kind) => {
    const error = translate(new PulumiError(said), 'prod');
    expect(error).toBeInstanceOf(Kind);
    expect(error).not.toBeInstanceOf(LockedError);
  });
});
