import { BrokenError, LockageError, PartialError, RolledBackError } from '../../../pipelines/errors.ts';

/** What a port throws there, as its contract says. */
export function failureAt(moment: string): Error {
  if (moment.startsWith('records.changeArchives')) return new BrokenError('Pulumi could not record it');
  if (/^(stacks\.deploy|removal\.forgetHost)/.test(moment)) return new BrokenError('Pulumi could not change prod');
  if (/^(stacks\.foundation|machines\.ensure)( |$)/.test(moment)) return new RolledBackError('could not be made');
  if (moment.startsWith('hosts.switchNow')) return new PartialError('the routes did not switch on 1 of 2 hosts');
  return new LockageError(`${moment} is not possible`);
}

/** Returns whether a failure at that moment is one of the operation, and has to be made good. */
export function canFail(moment: string): boolean {
  // What Pulumi could not remove is returned, and no failure.
  return !/^(hosts\.(lock done|unlock|startAndStop$)|removal\.destroyStack done)/.test(moment);
}
