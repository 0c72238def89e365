/** Synthetic pictures as neuroscience shows them: grey ground, one pattern, four numbers. */

export const STIMULI = ['disc', 'bar', 'grating'] as const;
export type Kind = (typeof STIMULI)[number];

export interface Stimulus {
  kind: Kind;
  /** Diameter of the disc or of the grating's round window, width of the bar; as a fraction of the picture's side. */
  size: number;
  /** Periods of the grating across the picture. */
  frequency: number;
  /** Michelson contrast with the grey ground, 0…1. */
  contrast: number;
  /** Degrees, anticlockwise; 0 draws bars and stripes upright. */
  orientation: number;
}

export type Parameter = Exclude<keyof Stimulus, 'kind'>;

export const RANGES: Record<Parameter, { min: number; max: number; step: number }> = {
  size: { min: 0.02, max: 1, step: 0.01 },
  frequency: { min: 1, max: 60, step: 1 },
  contrast: { min: 0, max: 1, step: 0.01 },
  orientation: { min: 0, max: 180, step: 5 },
};

/** Side of the picture in pixels: more than networks see, so that resizing smooths the edges. */
export const SIDE = 448;
const GREY = 127.5;

/** The parameters that change what is drawn. */
export function parametersOf(kind: Kind): Parameter[] {
  if (kind === 'disc') return ['size', 'contrast'];
  if (kind === 'bar') return ['size', 'contrast', 'orientation'];
  return ['size', 'frequency', 'contrast', 'orientation'];
}

/** Values of a parameter from its smallest to its largest; sizes and frequencies by equal factors. */
export function steps(parameter: Parameter, count = 9): number[] {
  const { min, max, step } = RANGES[parameter];
  const factors = parameter === 'size' || parameter === 'frequency';
  const values = Array.from({ length: count }, (_, index) => {
    const part = index / (count - 1);
    const value = factors ? min * (max / min) ** part : min + part * (max - min);
    return Number((Math.round(value / step) * step).toFixed(4));
  });
  return [...new Set(values)];
}

/** The picture, RGBA; edges one pixel soft. */
export function draw({ kind, size, frequency, contrast, orientation }: Stimulus, side = SIDE): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * side * side).fill(255);
  const angle = (orientation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const edge = (distance: number) => Math.min(Math.max((size * side) / 2 - distance + 0.5, 0), 1);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [x, y] = [column + 0.5 - side / 2, row + 0.5 - side / 2];
      const across = x * cos + y * sin;
      const inside = edge(kind === 'bar' ? Math.abs(across) : Math.hypot(x, y));
      const wave = kind === 'grating' ? Math.sin((2 * Math.PI * frequency * across) / side) : 1;
      const place = 4 * (row * side + column);
      pixels.fill(GREY * (1 + contrast * inside * wave), place, place + 3);
    }
  }
  return pixels;
}
