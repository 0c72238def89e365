/** Numbers read from a result: pure functions, attention being branch-major `[M * C]`. */
import type { Result, UnitInfo, UnitResult } from 'sklens';

/** Mean attention of successive channels: `first`…`last`, counted from 1. */
export interface ChannelGroup {
  first: number;
  last: number;
  mean: number;
}

/** Index of the branch with the largest kernel. */
export function largestBranch(unit: UnitInfo): number {
  return extreme(unit, (a, b) => a > b);
}

/** Index of the branch with the smallest kernel. */
export function smallestBranch(unit: UnitInfo): number {
  return extreme(unit, (a, b) => a < b);
}

function extreme(unit: UnitInfo, beats: (a: number, b: number) => boolean): number {
  let best = 0;
  unit.branches.forEach(({ size }, branch) => {
    if (beats(size, unit.branches[best]?.size ?? size)) best = branch;
  });
  return best;
}

/** `5×5` for a branch of effective width 5. */
export function kernelName(unit: UnitInfo, branch: number): string {
  const size = unit.branches[branch]?.size ?? 0;
  return `${size}×${size}`;
}

/** `3×3`, `5×5` for the branches in order. */
export function kernelNames(unit: UnitInfo): string[] {
  return unit.branches.map((_, branch) => kernelName(unit, branch));
}

/** How a branch is drawn: the first of the largest kernels, the first of the smallest, or another. */
export function branchKind(unit: UnitInfo, branch: number): 'large' | 'small' | 'middle' {
  if (branch === largestBranch(unit)) return 'large';
  return branch === smallestBranch(unit) ? 'small' : 'middle';
}

/** The attention that one branch has in every channel. */
export function branchAttention(unit: UnitInfo, result: UnitResult, branch: number): Float32Array {
  return result.attention.subarray(branch * unit.channels, (branch + 1) * unit.channels);
}

/** Means of `size` successive values; the last group holds what is left. */
export function groupMeans(values: Float32Array, size = 16): ChannelGroup[] {
  const groups: ChannelGroup[] = [];
  for (let start = 0; start < values.length; start += size) {
    const part = values.subarray(start, start + size);
    groups.push({ first: start + 1, last: start + part.length, mean: mean(part) });
  }
  return groups;
}

/** Arithmetic mean; 0 of nothing. */
export function mean(values: Float32Array): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The named unit of a result. */
export function unitResult(result: Result, name: string): UnitResult | undefined {
  return result.units.find((unit) => unit.name === name);
}

/** Units by stage, in order of depth. */
export function stages(units: readonly UnitInfo[]): { stage: string; units: UnitInfo[] }[] {
  const found = new Map<string, UnitInfo[]>();
  for (const unit of units) {
    const { stage } = unitNumber(unit.name);
    const list = found.get(stage);
    if (list) list.push(unit);
    else found.set(stage, [unit]);
  }
  return [...found].map(([stage, list]) => ({ stage, units: list }));
}

/** `SK_2_3` is unit 3 of stage 2. */
export function unitNumber(name: string): { stage: string; unit: string } {
  const [, stage = '', unit = name] = name.split('_');
  return { stage, unit };
}

/** The unit to show first: like the paper's SK_3_4, the last of the second stage. */
export function defaultUnit(units: readonly UnitInfo[]): string {
  const grouped = stages(units);
  return (grouped[1] ?? grouped[0])?.units.at(-1)?.name ?? '';
}
