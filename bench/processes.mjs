/** CPU time of processes, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Fields of /proc/PID/stat behind the command, which may contain anything. */
function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const TICKS_PER_SECOND = 100;

/** `pid` and all processes that it started, directly or not. */
export function family(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(stat(name)[PARENT]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid];
  for (const member of found) for (const [child, parent] of parents) if (parent === member) found.push(child);
  return found;
}

export function commandLine(pid) {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
}

/** Seconds of CPU time that the processes have used. */
export function cpuSeconds(pids) {
  const ticks = pids.map((pid) => Number(stat(pid)[USER_TICKS]) + Number(stat(pid)[SYSTEM_TICKS]));
  return ticks.reduce((sum, t) => sum + t, 0) / TICKS_PER_SECOND;
}
