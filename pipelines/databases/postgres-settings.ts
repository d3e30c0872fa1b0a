/** What a PostgreSQL is told besides the arguments that its accessory has, whose production is not there. */

/** A fork is thrown away, so nothing of it has to survive a power cut. */
const careless = [
  ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'wal_level=minimal', 'max_wal_senders=0'],
  ...['shared_buffers=16MB', 'autovacuum=off', 'jit=off', 'logging_collector=off', 'max_logical_replication_workers=0'],
];

/** Its visitors come by the loopback alone, with a password of which its rules want this kind. */
const reachable = [
  ...['listen_addresses=*', 'unix_socket_directories=/tmp', 'hba_file=/lockage/hba.conf', 'ssl=off'],
  'password_encryption=scram-sha-256',
];

/** Nothing is archived from here, least of all to where an environment's own log is, and a laptop has no huge pages. */
const elsewhere = ['archive_mode=off', 'huge_pages=off'];

/** Not allowed with a minimal log. Servers before 17 do not know them, and start with no setting that they do not know. */
const later = ['summarize_wal', 'sync_replication_slots'];

/** Returns the arguments that come after an accessory's own in a fork. */
export function forkSettings(args: readonly string[]): string[] {
  const names = args.map((word) => word.replaceAll('-', '_').toLowerCase());
  const known = later.filter((setting) => names.some((name) => name.includes(setting)));
  return asArguments([...careless, ...reachable, ...elsewhere, ...known.map((setting) => `${setting}=off`)]);
}

/** Returns the same while it is baked. `absent`: folders of the accessory that are not there as it has them. */
export function bakeSettings(args: readonly string[], absent: readonly string[]): string[] {
  const tls = isWithoutKey(args, absent) ? ['ssl=off'] : [];
  // Each commit would wait for a standby that is not there.
  return asArguments([...elsewhere, 'synchronous_standby_names=', ...tls]);
}

/** Returns whether TLS is asked for with files that are not those of the image: it would not start. */
function isWithoutKey(args: readonly string[], absent: readonly string[]): boolean {
  const files = args.flatMap((word) => /\bssl[-_]\w+[-_]file=(.+)/i.exec(word)?.[1] ?? []);
  const isThere = (file: string) => file.startsWith('/') && !absent.some((folder) => file.startsWith(`${folder}/`));
  return args.some((word) => /\bssl=/i.test(word)) && !(files.length > 0 && files.every(isThere));
}

function asArguments(settings: readonly string[]): string[] {
  return settings.flatMap((setting) => ['-c', setting]);
}
