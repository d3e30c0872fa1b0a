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
    expect([whole.rules.length, whole.link]).toEqual([5, { ifalias: 'lockage trial qa', up: true }]);
    for (const rule of await rules()) {
      const table = rule.includes('POSTROUTING') ? 'nat' : 'filter';
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
    expect((await rules()).length).toBe(6);
    await removeOwnBridge(inputs);
    expect([await rules(), await subnetOf(bridge)]).toEqual([[], undefined]);
  });
});
