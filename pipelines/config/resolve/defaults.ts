const second = 1000;
const mebibyte = 2 ** 20;

/** The values that apply where neither lockage.yaml nor the environment's file sets them. Milliseconds and bytes. */
export const defaults = {
  backend: 'file://.lockage/state',
  edgeImage: 'caddy:2',
  publish: 80,
  watch: 10 * second,
  standby: 1,
  registryThrough: 'network',
  stopGrace: 10 * second,
  dumpsKept: 3,
  migrationTimeout: 300 * second,
  hookTimeout: 300 * second,
  githubApi: 'https://api.github.com',
  health: { interval: 100, healthy: 3, timeout: 60 * second, path: '/', running: 5 * second },
  limits: { memory: 256 * mebibyte, cpus: 1, pids: 256, files: 4096, log: 10 * mebibyte },
  tmpfs: { '/tmp': 16 * mebibyte },
  machine: { count: 1, memory: 1024 * mebibyte, cpus: 1, disk: 8192 * mebibyte },
  accessory: { memory: 512 * mebibyte, cpus: 1, healthTimeout: 60 * second },
} as const;
