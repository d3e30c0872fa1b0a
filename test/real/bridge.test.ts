import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureBridge, removeOwnBridge, subnetOf } from '../../infra/machines/bridge.ts';
import { createBridge, freeSubnet, openWayOut, removeBridge } from '../../infra/machines/network.ts';
import type { MachineNetworkInputs } from '../../infra/resources/inputs.ts';
import { run, tryRun } from '../../scripts/tools/command.ts';
import { labsWork } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('the bridge of an environment', () => {
  const bridge = `lb${process.pid.toString(36)}`;
  let inputs: MachineNetworkInputs;

  beforeEach(async () => {
    inputs = { app: 'trial', environment: 'qa', bridge, subnet: await freeSubnet(), computer: 'desk' };
  });

  afterEach(() => removeBridge(bridge, inputs.subnet));

  const rules = async () => (await run(['iptables-save'])).split('\n').filter((line) => line.includes(bridge));
  const link = async () => {
    const shown = JSON.parse(await run(['ip', '-j', 'link', 'show', 'dev', bridge])) as Record<string, unknown>[];
    const { ifalias, flags } = shown[0] ?? {};
    return { ifalias, up: (flags as string[]).includes('UP') };
  };

  test('is made whole again by whoever needs it next, whatever is missing', async () => {
    await ensureBridge(inputs);
    const whole = { rules: (await rules()).sort(), link: await link() };
    expect([whole.rules.length, whole.link]).toEqual([8, { ifalias: 'lockage trial qa', up: true }]);
    for (const rule of await rules()) {
      const table = rule.includes('POSTROUTING') ? 'nat' : rule.endsWith('DROP') ? 'mangle' : 'filter';
      await run(['iptables', '-w', '10', '-t', table, ...rule.replace(/^-A/, '-D').split(' ')]);
    }
    await run(['ip', 'link', 'set', 'dev', bridge, 'down', 'alias', '']);
    for (let time = 0; time < 2; time += 1) {
      await ensureBridge(inputs);
      expect({ rules: (await rules()).sort(), link: await link() }).toEqual(whole);
    }
  });

  test('that a killed run did not give its address is made anew', async () => {
    await run(['ip', 'link', 'add', bridge, 'type', 'bridge']);
    await ensureBridge(inputs);
    expect(await subnetOf(bridge)).toBe(inputs.subnet);
  });

  test('is not made, nor half of it, where its network was taken meanwhile', async () => {
    const other = `${bridge}x`;
    await createBridge(other, inputs.subnet);
    try {
      await expect(ensureBridge(inputs)).rejects.toMatchObject({
        message: `the network ${inputs.subnet}.0/24 is taken by ${other}`,
        hint: expect.stringContaining('Run the same command again'),
      });
      expect(await tryRun(['ip', 'link', 'show', 'dev', bridge])).toBeUndefined();
    } finally {
      await removeBridge(other, inputs.subnet);
    }
    expect(await rules()).toEqual([]);
  });

  test('goes with its rules, also with those that two set at the same moment', async () => {
    await ensureBridge(inputs);
    const [masquerade = ''] = (await rules()).filter((line) => line.includes('MASQUERADE'));
    await run(['iptables', '-w', '10', '-t', 'nat', ...masquerade.split(' ')]);
    await openWayOut(bridge, inputs.subnet);
    expect((await rules()).length).toBe(9);
    await removeOwnBridge(inputs);
    expect([await rules(), await subnetOf(bridge)]).toEqual([[], undefined]);
  });

  test('lets nobody of another environment in, nor its own out to where clouds hand out credentials', async () => {
    const other = { ...inputs, environment: 'prod', bridge: `${bridge}p`, subnet: await freeSubnet() };
    const sides = [inputs, other];
    await Promise.all(sides.map((side) => ensureBridge(side)));
    // The first one's rules again, so that they stand before the second one's.
    await ensureBridge(inputs);
    const machines = sides.map((side) => ({ ...side, name: `${side.bridge}n`, address: `${side.subnet}.11` }));

    const reaches = (from: string, address: string) => isReached(['ip', 'netns', 'exec', from], address);
    try {
      for (const machine of machines) await join(machine);
      const [qa = '', prod = ''] = machines.map(({ name }) => name);
      expect(await reaches(qa, `${inputs.subnet}.1`)).toBe(true);
      expect(await reaches(qa, `${other.subnet}.11`)).toBe(false);
      expect(await reaches(prod, `${inputs.subnet}.11`)).toBe(false);
      expect(await isReached(['env'], `${other.subnet}.11`)).toBe(true);
      await run(['ip', 'address', 'add', '169.254.169.254/32', 'dev', other.bridge]);
      expect(await reaches(qa, '169.254.169.254')).toBe(false);
    } finally {
      for (const { name } of machines) await tryRun(['ip', 'netns', 'del', name]);
      await removeBridge(other.bridge, other.subnet);
    }
  });
});

/** Whether a port where nobody listens says so: what is dropped says nothing. */
async function isReached(within: readonly string[], address: string): Promise<boolean> {
  const script = `require('node:net').connect(9, '${address}').on('error', ({ code }) => console.log(code));
    setTimeout(() => process.exit(), 2000)`;
  return (await run([...within, process.execPath, '-e', script])).includes('ECONNREFUSED');
}

/** Connects a network namespace to a bridge, as a machine is. */
async function join(machine: { name: string; bridge: string; subnet: string; address: string }): Promise<void> {
  const { name, bridge, subnet, address } = machine;
  const [outside, inside] = [`${bridge}o`, `${bridge}i`];
  await run(['ip', 'netns', 'add', name]);
  await run(['ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name]);
  await run(['ip', 'link', 'set', outside, 'master', bridge, 'up']);
  const within = ['ip', '-n', name];
  await run([...within, 'address', 'add', `${address}/24`, 'dev', inside]);
  await run([...within, 'link', 'set', inside, 'up']);
  await run([...within, 'route', 'add', 'default', 'via', `${subnet}.1`]);
}
