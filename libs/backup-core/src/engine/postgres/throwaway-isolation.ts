import { AppError } from '@rahatback/contracts';
import { existsSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputOf, type ToolCommand } from '../../process/spawn-tool.js';
import type { IsolationKind } from '../throwaway-server.js';

/** nobody and nogroup: the same number on every Linux. */
const NOBODY_ID = 65_534;
const PROBE_TIMEOUT_MS = 10_000;
/** What programs of the system need to run; nothing of it is secret. */
const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64'];
const SYSTEM_FILES = [
  'passwd',
  'group',
  'nsswitch.conf',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'alternatives',
];

const isRoot = (): boolean => process.getuid?.() === 0;
const programAt = (name: string): string | undefined => [`/usr/bin/${name}`, `/bin/${name}`].find((path) => existsSync(path));

/** The user that a throw-away server runs as. */
export const unprivilegedUid = (): number => (isRoot() ? NOBODY_ID : (process.getuid?.() ?? -1));

/** Gives a path to that user. */
export async function giveToUnprivileged(path: string): Promise<void> {
  if (isRoot()) await chown(path, NOBODY_ID, NOBODY_ID);
}

export interface Isolation {
  readonly kind: IsolationKind;
  /** All its processes end with its first one, whatever they do. */
  readonly ownProcesses: boolean;
  readonly description: string;
  wrap(command: ToolCommand): ToolCommand;
}

export interface IsolatedPlace {
  /** The one folder that may be written. */
  readonly folder: string;
  /** Folders outside of the system's own that the programs need. */
  readonly prefixes: readonly string[];
}

type Wrapper = readonly string[];

/** Without privileges, unable to gain any, and ending with its parent. Null where the system cannot. */
function unprivileged(): Wrapper | null {
  const setpriv = programAt('setpriv');
  if (!setpriv) return isRoot() ? null : [];
  const ids = [`--reuid=${NOBODY_ID}`, `--regid=${NOBODY_ID}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
  return [setpriv, ...(isRoot() ? ids : []), '--no-new-privs', '--pdeathsig', 'KILL', '--'];
}

/** Folders above a path, outermost first. bwrap would make them for itself alone. */
function foldersAbove(path: string): string[] {
  const above = dirname(path);
  return above === '/' ? [] : [...foldersAbove(above), above];
}

function sandbox({ folder, prefixes }: IsolatedPlace): Wrapper | null {
  const bwrap = programAt('bwrap');
  if (!bwrap) return null;
  const files = SYSTEM_FILES.map((name) => `/etc/${name}`);
  const above = new Set([...files, ...prefixes, folder].flatMap(foldersAbove));
  return [
    bwrap,
    ...['--unshare-net', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--die-with-parent'],
    ...[...above].flatMap((path) => ['--dir', path]),
    ...[...SYSTEM_FOLDERS, ...files].flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...prefixes.flatMap((prefix) => ['--ro-bind', prefix, prefix]),
    ...['--bind', folder, folder, '--remount-ro', '/', '--chdir', folder, '--'],
  ];
}

function namespaces(): Wrapper | null {
  const unshare = programAt('unshare');
  if (!unshare) return null;
  const user = isRoot() ? [] : ['--user', '--map-current-user'];
  return [unshare, ...user, '--net', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc', '--'];
}

const wrapped = (wrapper: Wrapper, command: ToolCommand): ToolCommand => {
  const [binary, ...args] = wrapper;
  return binary === undefined ? command : { ...command, binary, args: [...args, command.binary, ...command.args] };
};

const DESCRIPTIONS: Readonly<Record<IsolationKind, string>> = {
  sandbox: 'no network, own processes, a read-only view of the system',
  namespaces: 'no network, own processes',
  user: 'an unprivileged user only (install bubblewrap for more)',
};

/** Without root there is no other user to be: only the sandbox hides the agent's own files then. */
const meaningOf = (kind: IsolationKind): string =>
  kind === 'sandbox' || isRoot()
    ? DESCRIPTIONS[kind]
    : `${DESCRIPTIONS[kind]}; as the agent's own user, whose files are in reach (install bubblewrap, or run the agent as root)`;

function isolationOf(kind: IsolationKind, place: IsolatedPlace, drop: Wrapper): Isolation | null {
  const outer = kind === 'sandbox' ? sandbox(place) : kind === 'namespaces' ? namespaces() : [];
  if (!outer) return null;
  return {
    kind,
    ownProcesses: kind !== 'user',
    description: meaningOf(kind),
    wrap: (command) => ({ ...wrapped([...outer, ...drop], command), cwd: place.folder }),
  };
}

/**
 * The strongest of `kinds` under which `probe` (a program that prints something) runs on this machine.
 * @throws AppError UNAVAILABLE when it runs under none: a dump is code, and never runs as root
 */
export async function chooseIsolation(
  kinds: readonly IsolationKind[],
  place: IsolatedPlace,
  probe: ToolCommand,
): Promise<Isolation> {
  const drop = unprivileged();
  for (const kind of drop ? kinds : []) {
    const isolation = isolationOf(kind, place, drop ?? []);
    const output = isolation ? await outputOf(isolation.wrap(probe), AbortSignal.timeout(PROBE_TIMEOUT_MS)) : null;
    if (isolation && output) return isolation;
  }
  throw new AppError(
    'UNAVAILABLE',
    isRoot()
      ? `${probe.binary} cannot be run by an unprivileged user on the agent's machine. Install util-linux (setpriv), and let every user read that folder.`
      : `${probe.binary} cannot be shut in on the agent's machine, and the dump's code must not reach the agent's keys. Install bubblewrap, or run the agent as root.`,
  );
}

/** A command as the unprivileged user, not isolated any further. */
export const asUnprivileged = (command: ToolCommand): ToolCommand => wrapped(unprivileged() ?? [], command);
