/** The engine's crop rule, for drawing; positions are fractions or pixels of the oriented photo, x right, y down. */

export type Point = readonly [number, number];

export interface Crop {
  /** Left edge in pixels. */
  x: number;
  /** Top edge in pixels. */
  y: number;
  /** Side of the square in pixels. */
  side: number;
}

/** The square of side `cropPct · min(width, height) / zoom` around `center`, moved inside the photo. */
export function cropBox(width: number, height: number, cropPct: number, zoom: number, center: Point): Crop {
  const side = (cropPct * Math.min(width, height)) / zoom;
  const inside = (middle: number, extent: number) => Math.min(Math.max(middle - side / 2, 0), extent - side);
  return { x: inside(center[0] * width, width), y: inside(center[1] * height, height), side };
}

/** The centre, in fractions, that the crop around `center` really has. */
export function clampCenter(width: number, height: number, cropPct: number, zoom: number, center: Point): Point {
  const { x, y, side } = cropBox(width, height, cropPct, zoom, center);
  return [(x + side / 2) / width, (y + side / 2) / height];
}
