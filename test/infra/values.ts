import type { MachineInputs } from '../../infra/resources/inputs.ts';

/** A machine as tests configure it. */
export const machineInputs: MachineInputs = {
  app: 'shop',
  environment: 'qa',
  bridge: 'lk00000000',
  subnet: '10.99.1',
  computer: 'desk',
  name: 'shop-qa-machine-1',
  host: 'qa-1',
  kind: 'lxc',
  memory: 2 ** 29,
  cpus: 0.5,
  image: `sha256:${'a'.repeat(64)}`,
  address: '10.99.1.11',
  hostKey: `SHA256:${'A'.repeat(43)}`,
  insecureRegistries: [],
};
