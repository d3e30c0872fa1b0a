/** What helps where Docker's command line said this, by what stands in it. */
const hints: readonly (readonly [sign: RegExp, hint: string])[] = [
  [
    /permission denied.*(docker\.sock|docker daemon|docker API)/i,
    'Add your user to the group "docker" (`sudo usermod -aG docker $USER`) and log in again.',
  ],
  [
    /cannot connect to the docker daemon|is the docker daemon running|error during connect|failed to connect to the docker api/i,
    'Start Docker, as with `sudo systemctl start docker`; `docker context ls` and DOCKER_HOST say which engine is meant.',
  ],
  [
    /docker: (command )?not found|docker is not installed|\bdocker ENOENT\b/i,
    'Install Docker: its command line builds and pushes images.',
  ],
  [
    // https://github.com/moby/moby/issues/49784
    /NotFound: content digest sha256:\w+: not found/,
    'The Docker Engine has a layer of the base image only unpacked, from a copy that came in another form (as by `docker load`), and a pull ' +
      'leaves it out: remove all images that are built on it, and itself, with `docker image rm` and `docker image prune`.',
  ],
];

/** Returns what helps where Docker's command line failed with these words; undefined where nothing is known. */
export function dockerHint(said: string): string | undefined {
  return hints.find(([sign]) => sign.test(said))?.[1];
}
