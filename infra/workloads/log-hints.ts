import type { ContainerSpec } from '../../pipelines/model/container-spec.ts';

/** What is known of a role when one of its containers fails. */
export type Failing = Pick<ContainerSpec, 'role' | 'hardening' | 'limits'> & Pick<Partial<ContainerSpec>, 'route'>;

/** A kind of failure that a container's settings may have caused. */
export interface Symptom {
  /** as people search for it: errno, or the words of the message */
  readonly name: string;
  readonly sign: RegExp;
  /** what it means, one sentence without full stop */
  readonly cause: string;
  /** the keys of a role that have to do with it */
  readonly keys: readonly string[];
  /** what to do about it, with `KEY` for each of the keys in turn */
  readonly remedy: string;
  /** false where this role's settings have nothing to do with it; absent: always */
  readonly applies?: (spec: Failing) => boolean;
  /** what helps is done to an image of one's own, which that of an accessory seldom is */
  readonly ofReleases?: true;
}

/**
 * The failures that are known, what is told apart most exactly first. `docs/troubleshooting.md` has the same table, and a test
 * compares them.
 */
export const symptoms: readonly Symptom[] = [
  {
    name: 'out of memory',
    sign: /out of memory|OutOfMemoryError|cannot allocate memory|ENOMEM|MemoryError|std::bad_alloc/i,
    cause: 'it needed more memory than its limit, which folders in memory count towards',
    keys: ['limits.memory'],
    remedy: 'raise KEY, or let the program use less',
  },
  {
    name: 'exec format error',
    sign: /exec format error/i,
    cause: 'its program is for another kind of processor than the host has',
    keys: [],
    remedy: 'build the image for the platform of the hosts: `build.platform` in `lockage.yaml`',
    ofReleases: true,
  },
  {
    name: 'failed to map segment',
    sign: /failed to map segment from shared object/i,
    cause: 'a library that was unpacked into a folder in memory may not be run from there',
    keys: ['hardening.tmpfs'],
    remedy: 'write `{ size: 64MiB, exec: true, reason: why }` for that folder in KEY',
  },
  {
    name: 'missing library',
    sign: /error (while )?loading shared librar(y|ies)|cannot open shared object file|version `?GLIBC\w*_[\d.]+'? not found|Error relocating/i,
    cause: 'its image lacks a library that its program was built with, often as it was built on another distribution',
    keys: [],
    remedy: 'build the program in the image that it runs in, or install the library there',
    ofReleases: true,
  },
  {
    name: 'unknown user',
    sign: /unable to find (user|group)|no matching entries in (passwd|group) file|getpwuid|no user exists for uid|uid not found|look up effective user id/i,
    cause: 'its image has no account for the user that it runs as',
    keys: ['hardening.user'],
    remedy:
      'name a user of the image in KEY, or write it as numbers; a program that asks for its own name needs an account in the image',
  },
  {
    name: 'executable file not found',
    sign: /executable file not found|\bexec:? .*(: | failed: )no such file or directory|exec user process caused:? "?no such file|no such file or directory: unknown|\benv: .*: no such file or directory|: command not found$|^\S*sh: (line )?(\d+: )?\S+: not found$/im,
    cause: 'the command is not in the image, or the interpreter in its first line is not',
    keys: ['command'],
    remedy: 'see KEY; each of its words is passed on as it is, and no shell reads them',
  },
  {
    name: 'not executable',
    sign: /\bexec:? "?[^\s"]+"?(: | failed: )permission denied|exec user process caused:? "?permission denied/i,
    cause: 'the file that it starts has no execute permission in the image, or not for its user',
    keys: ['command'],
    remedy: 'add `RUN chmod a+rx FILE` to the Dockerfile, or name its interpreter in KEY, as `[sh, /FILE]`',
  },
  {
    name: 'port below 1024',
    // The number comes after the word, as a line may begin with a time.
    sign: /^(?=.*(EACCES|permission denied)).*\b(listen|bind).*(:|port )\d{1,3}(?!\w|:\w|\]:)/im,
    cause: 'it has no right to listen on a port below 1024',
    keys: ['port', 'hardening.capabilities'],
    remedy: 'let it listen on a port above, with KEY, or give back CAP_NET_BIND_SERVICE in KEY',
  },
  {
    name: 'EADDRINUSE',
    sign: /EADDRINUSE|address already in use/i,
    cause: 'two processes of one container listen on the same port; containers do not share theirs',
    keys: ['port', 'command'],
    remedy: 'see what KEY is and what KEY starts',
  },
  {
    name: '/dev/shm',
    sign: /\/dev\/shm|shared memory segment|bus error|SIGBUS/i,
    cause: 'shared memory is full, or too small for it',
    keys: ['limits.shmSize'],
    remedy: 'raise KEY',
  },
  {
    name: 'inotify',
    sign: /inotify|number of file watchers reached|fs\.inotify\.max_user/i,
    cause: 'the host lets its programs watch no more files, all containers together',
    keys: [],
    remedy: 'raise fs.inotify.max_user_watches and max_user_instances with sysctl on the host',
  },
  {
    name: 'ENOSPC',
    sign: /ENOSPC|no space left on device/i,
    cause: "a folder in memory is full, or the host's disk is",
    keys: ['hardening.tmpfs'],
    remedy: 'give that folder more in KEY; `lockage doctor` tells how much the disks have left',
  },
  {
    name: 'EROFS',
    sign: /EROFS|read-?only (file ?system|database)/i,
    cause: 'its files are read-only',
    keys: ['hardening.tmpfs', 'hardening.readOnly'],
    remedy: 'name the folder in KEY, or set KEY to false',
    applies: ({ hardening }) => hardening.readOnly,
  },
  {
    name: 'EMFILE',
    sign: /EMFILE|ENFILE|too many open files/i,
    cause: 'it has more files and connections open than its limit',
    keys: ['limits.files'],
    remedy: 'raise KEY',
  },
  {
    name: 'EAGAIN',
    sign: /resource temporarily unavailable|can't start new thread|unable to create (new )?native thread|fork: retry|pthread_create failed|failed to create new OS thread/i,
    cause: 'it has more processes and threads than its limit',
    keys: ['limits.pids'],
    remedy: 'raise KEY',
  },
  {
    name: 'memlock',
    sign: /RLIMIT_MEMLOCK|mlockall?|memory locking requested|unable to lock JVM memory/i,
    cause: 'it may lock no memory',
    keys: ['limits.ulimits'],
    remedy: 'set `memlock: unlimited` in KEY',
  },
  {
    name: 'cannot modify limit',
    sign: /cannot modify limit|setrlimit|setting rlimit/i,
    cause: 'it wants a higher limit than it has, and has no right to raise it',
    keys: ['limits.files', 'limits.ulimits'],
    remedy: 'set it as high in KEY, for open files, or in KEY',
  },
  {
    name: 's6-overlay',
    sign: /can only run as pid 1|trying to run as pid|not running as pid 1/i,
    cause: "its image has an init of its own, which has to be process 1 in place of Docker's",
    keys: ['init'],
    remedy: 'set KEY to false',
  },
  {
    name: 'name not found',
    sign: /ENOTFOUND|EAI_AGAIN|temporary failure in name resolution|no such host|could not resolve|name or service not known|UnknownHostException|\bbad address '/i,
    cause: 'a host name that it asks for leads nowhere',
    keys: ['dns', 'extraHosts'],
    remedy: 'an accessory is found by its name in every environment; other names come from the host, or KEY and KEY',
  },
  {
    name: 'no new privileges',
    sign: /no[ _-]new[ _-]priv/i,
    cause: 'a program such as sudo may gain no rights',
    keys: ['hardening.user', 'hardening.noNewPrivileges'],
    remedy: 'start the container as the user that it needs, by KEY; or set KEY to false',
  },
  {
    name: 'EPERM',
    sign: /EPERM|operation not permitted/i,
    cause: 'it has no Linux capabilities but those that were given back',
    keys: ['hardening.capabilities', 'hardening.noNewPrivileges'],
    remedy: 'name what it needs in KEY; a program that brings its own also needs KEY at false',
  },
  {
    name: 'EACCES',
    sign: /EACCES|permission denied/i,
    cause: 'its user may not do that, as it has none of the rights of root',
    keys: ['hardening.user', 'hardening.tmpfs', 'hardening.capabilities'],
    remedy: 'see KEY, KEY and KEY, and who owns the files of the image',
  },
];

/** Returns what its configuration has to do with what a container wrote; undefined where nothing is known. */
export function logHint(lines: readonly string[], spec: Failing): string | undefined {
  const text = lines.join('\n');
  const found = symptoms.find(({ sign, applies }) => sign.test(text) && (applies?.(spec) ?? true));
  return found && `${found.cause}: ${remedyOf(found, (key) => `\`${key}\` of ${spec.role}`)}`;
}

/** The keys that accessories have of those of a role. */
const keysOfAccessories = [
  'command',
  'port',
  'init',
  'dns',
  'extraHosts',
  'limits.memory',
  'limits.shmSize',
  'limits.ulimits',
];

/** Returns the same of an accessory, which is confined less and has fewer keys. */
export function accessoryHint(lines: readonly string[]): string | undefined {
  const text = lines.join('\n');
  const found = symptoms.find(
    ({ sign, keys, ofReleases }) =>
      !ofReleases && keys.every((key) => keysOfAccessories.includes(key)) && sign.test(text),
  );
  return found && `${found.cause}: ${remedyOf(found, (key) => `\`${key}\` of the accessory`)}`;
}

/** Returns what to do about a failure, with its keys as they are written there. */
export function remedyOf({ remedy, keys }: Pick<Symptom, 'remedy' | 'keys'>, written: (key: string) => string): string {
  return keys.reduce((text, key) => text.replace('KEY', written(key)), remedy);
}
