/** The admin socket of a load balancer's process, which answers queries and takes commands while it serves. */
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { adminSocket } from './haproxy-config.ts';

const answerTimeout = 5000;
/** Characters of an answer: each machine has a line of it. */
const longestAnswer = 16 * 1024 * 1024;

/** A slot for a machine at one of a load balancer's ports. */
export interface Slot {
  /** `port-8000` */
  readonly section: string;
  readonly name: string;
  /** `10.71.3.11:8000` */
  readonly target: string;
  /** nothing new is sent there */
  readonly resting: boolean;
  readonly healthy: boolean;
  /** requests under way */
  readonly busy: number;
}

/** The facts that a load balancer's process reports about itself. */
export interface RunningProcess {
  readonly pid: number;
  readonly address: string;
  readonly shape: string;
}

/** Returns the process and what it was started with; undefined where none answers. */
export async function askProcess(home: string): Promise<RunningProcess | undefined> {
  const shown = await sendCommands(home, ['show info']).catch(() => undefined);
  const pid = /^Pid: (\d+)$/m.exec(shown ?? '')?.[1];
  const [, address, shape] = /^Description: (\S+) shape-(.*)$/im.exec(shown ?? '') ?? [];
  if (pid === undefined || address === undefined || shape === undefined) return undefined;
  return { pid: Number(pid), address, shape };
}

/** Returns all slots of a load balancer. Throws when it does not answer. */
export async function askSlots(home: string): Promise<Slot[]> {
  return parseSlots(await sendCommands(home, ['show stat -1 4 -1']));
}

/** Reads the statistics of servers as HAProxy prints them. */
export function parseSlots(csv: string): Slot[] {
  const [header = '', ...rows] = csv.replace(/^# /, '').trim().split('\n');
  const columns = header.split(',');
  return rows.map((row) => {
    const cells = row.match(/(?<=^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? [];
    const cell = (name: string) => cells[columns.indexOf(name)] ?? '';
    const status = cell('status');
    return {
      section: cell('pxname'),
      name: cell('svname'),
      target: cell('addr'),
      resting: !/^(UP|DOWN|no check)/.test(status),
      healthy: /^(UP|no check)/.test(status),
      busy: Number(cell('scur')) + Number(cell('qcur')),
    };
  });
}

/** Sends commands that take effect together, and returns the answer. */
export async function sendCommands(home: string, commands: readonly string[]): Promise<string> {
  // A socket's path is limited to about a hundred bytes, and a project can lie deeper.
  const folder = await open(home, 'r');
  try {
    return await exchange(path.join('/proc/self/fd', String(folder.fd), adminSocket), `${commands.join('; ')}\n`);
  } finally {
    await folder.close();
  }
}

function exchange(socket: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket, () => connection.write(text));
    const late = setTimeout(() => connection.destroy(new Error('the load balancer is silent')), answerTimeout);
    let answer = '';
    connection.setEncoding('utf8').on('data', (data: string) => {
      answer += data;
      if (answer.length > longestAnswer) connection.destroy(new Error('the load balancer does not stop talking'));
    });
    connection.on('close', () => clearTimeout(late));
    connection.on('error', reject).on('end', () => resolve(answer));
  });
}
