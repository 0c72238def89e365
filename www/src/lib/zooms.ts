/** The zooms of the paper's section 4.4. */
export const PAPER_ZOOMS: readonly number[] = [1, 1.5, 2];
export const ZOOM_RANGE = { min: 1, max: 3, step: 0.01 } as const;
