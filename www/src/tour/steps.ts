/** The pages of the tour in their order, and the live view that each introduces. */
import { address, type View } from '../lib/permalink';
import type { Results } from './results';

export const STEPS = ['window', 'kernels', 'unit', 'attention', 'zoom', 'own'] as const;
export type Step = (typeof STEPS)[number];

const LIVE: Record<Step, View> = {
  window: 'field',
  kernels: 'network',
  unit: 'network',
  attention: 'what-if',
  zoom: 'zoom',
  own: 'zoom',
};

/** The step with that number, counted from 1; the nearest one if there is none. */
export function stepAt(number: number): Step {
  const index = Math.min(Math.max(Math.round(number), 1), STEPS.length) - 1;
  return STEPS[index] ?? STEPS[0];
}

/** A step's live view, on the photo that leads through the tour where that is what the step shows. */
export function liveView(step: Step, { photos, inside }: Results): { view: View; href: string } {
  const view = LIVE[step];
  const photo = photos[0]?.entry.file;
  const shown = step === 'own' || photo === undefined ? {} : { photo, zoom: 1, unit: inside.unit };
  return { view, href: address({ view, ...shown }) };
}
