import type { Benchmark, LayerTime, Roofline } from 'sklens';

/** What a layer reached. */
export interface Reached {
  /** Its place in the network, name and kernel; unlike any other's. */
  name: string;
  milliseconds: number;
  /** Thousand millions of additions and multiplications per second. */
  gflops: number;
  /** Thousand millions of bytes per second. */
  gigabytes: number;
  /** Additions and multiplications per byte. */
  intensity: number;
  /** Share of the roofline, in percent. */
  share: number;
}

/** What each layer reached, in order. */
export function reached({ layers }: Benchmark): Reached[] {
  return layers.map(({ name, kernel, macs, bytes, milliseconds, rooflineMilliseconds }, place) => ({
    name: `${place + 1}. ${name} (${kernel})`,
    milliseconds,
    gflops: (2 * macs) / milliseconds / 1e6,
    gigabytes: bytes / milliseconds / 1e6,
    intensity: (2 * macs) / bytes,
    share: (100 * rooflineMilliseconds) / milliseconds,
  }));
}

/** Layers in all: their time and the roofline's, and the one that takes longest. */
export function together({ layers }: Benchmark): { milliseconds: number; roofline: number; slowest: LayerTime | undefined } {
  const sum = (value: (layer: LayerTime) => number) => layers.reduce((total, layer) => total + value(layer), 0);
  return {
    milliseconds: sum(({ milliseconds }) => milliseconds),
    roofline: sum(({ rooflineMilliseconds }) => rooflineMilliseconds),
    slowest: [...layers].sort((a, b) => b.milliseconds - a.milliseconds)[0],
  };
}

/** Most GFLOP/s at `intensity`, in additions and multiplications per byte. */
export function roofAt({ gflops, gigabytes }: Roofline, intensity: number): number {
  return Math.min(gflops, gigabytes * intensity);
}
