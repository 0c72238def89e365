/** One SK unit from within: the tensors to ask for, and what its parts hold and cost. */
import type { Result, TensorValues, UnitInfo } from 'sklens';
import { t } from '../strings';
import { kernelNames } from './attention';
import type { Table } from './table';

/** The names under which the engine returns a unit's tensors. */
export interface UnitTensors {
  branches: string[];
  sum: string;
  pooled: string;
  z: string;
  logits: string;
  output: string;
}

export function tensorNames({ path, branches }: UnitInfo): UnitTensors {
  return {
    branches: branches.map((_, m) => `${path}.paths.${m}.act`),
    sum: `${path}.sum`,
    pooled: `${path}.attn.pool`,
    z: `${path}.attn.act`,
    logits: `${path}.attn.fc_select`,
    output: path,
  };
}

/** All names of a unit, as `analyze` takes them. */
export function allNames(unit: UnitInfo): string[] {
  const { branches, ...others } = tensorNames(unit);
  return [...branches, ...Object.values(others)];
}

/** What a unit computed for one photo. */
export interface UnitInside {
  unit: UnitInfo;
  branches: TensorValues[];
  sum: TensorValues;
  pooled: Float32Array;
  z: Float32Array;
  /** Branch by branch. */
  logits: Float32Array;
  /** Branch by branch. */
  attention: Float32Array;
  output: TensorValues;
}

/** Reads a result that was asked for {@link allNames}; null where one is missing. */
export function insideOf(unit: UnitInfo, result: Result): UnitInside | null {
  const names = tensorNames(unit);
  const branches = names.branches.flatMap((name) => result.tensors[name] ?? []);
  const [sum, pooled, z, logits, output] = [names.sum, names.pooled, names.z, names.logits, names.output].map(
    (name) => result.tensors[name],
  );
  const attention = result.units.find(({ name }) => name === unit.name)?.attention;
  if (!sum || !pooled || !z || !logits || !output || !attention || branches.length < unit.branches.length) return null;
  return { unit, branches, sum, pooled: pooled.data, z: z.data, logits: logits.data, attention, output };
}

/** The vectors of a unit as tables: a row per channel, and a row per number of z. */
export function insideTables({ unit, pooled, z, logits, attention }: UnitInside, format: Table['format']): { channels: Table; z: Table } {
  const { network, channels } = t;
  const ofBranches = (values: Float32Array, channel: number) => unit.branches.map((_, m) => values[m * unit.channels + channel] ?? null);
  const names = kernelNames(unit);
  return {
    channels: {
      columns: [channels.columns.channel, network.pooled, ...names.map(network.logits), ...names.map(network.softmax)],
      rows: Array.from(pooled, (mean, channel) => ({ name: String(channel + 1), values: [mean, ...ofBranches(logits, channel), ...ofBranches(attention, channel)] })),
      format,
    },
    z: { columns: [network.place, network.z], rows: Array.from(z, (value, place) => ({ name: String(place + 1), values: [value] })), format },
  };
}

/** Parameters and multiply-adds of a part. */
export interface Cost {
  params: number;
  macs: number;
}

/** What split (convolutions and their batch norms), fuse and select take. */
export function costs({ unit, output, z }: Pick<UnitInside, 'unit' | 'output' | 'z'>): Record<'split' | 'fuse' | 'select', Cost> {
  const [channels, height, width] = output.shape;
  const places = height * width;
  const hidden = z.length;
  const taps = unit.branches.map(({ kernel, groups }) => channels * (channels / groups) * kernel * kernel);
  const weights = taps.reduce((sum, count) => sum + count, 0);
  const m = unit.branches.length;
  return {
    split: { params: weights + 2 * m * channels, macs: weights * places },
    fuse: { params: channels * hidden + 2 * hidden, macs: channels * hidden },
    select: { params: m * channels * hidden, macs: m * channels * hidden + m * channels * places },
  };
}

/** The channels with the largest mean output, largest first. */
export function strongest({ shape: [channels, height, width], data }: TensorValues, count: number): number[] {
  const places = height * width;
  const means = Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let place = 0; place < places; place++) sum += data[c * places + place] ?? 0;
    return sum / places;
  });
  return [...means.keys()].sort((a, b) => (means[b] ?? 0) - (means[a] ?? 0)).slice(0, count);
}

/** One channel of a tensor, row by row. */
export function channelOf({ shape: [, height, width], data }: TensorValues, channel: number): Float32Array {
  return data.subarray(channel * height * width, (channel + 1) * height * width);
}
