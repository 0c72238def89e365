/** The builder's form and the description it stands for. */
import type { NetworkDescription } from 'sklens';

export type Family = 'sknet' | 'sk_shufflenet_v2';

export interface Branch {
  kernel: number;
  dilation: number;
  /** Null: the network's. */
  groups: number | null;
}

/** Everything that the form holds; each family reads what it has. Lists are text, as typed. */
export interface Form {
  family: Family;
  depths: string;
  widths: string;
  width: number;
  out_width: number;
  head: number;
  groups: number;
  r: number;
  l: number;
  classes: number;
  side: number;
  attention: boolean;
  split_input: boolean;
  ceil_mode: boolean;
  small_input: boolean;
  branches: Branch[];
}

/** Fields of whole numbers by family, in the form's order. */
export const numbers = {
  sknet: ['width', 'out_width', 'groups', 'r', 'l', 'classes', 'side'],
  sk_shufflenet_v2: ['head', 'r', 'l', 'classes', 'side'],
} as const satisfies Record<Family, readonly (keyof Form)[]>;

/** Fields of yes and no by family. */
export const switches = {
  sknet: ['attention', 'split_input', 'ceil_mode', 'small_input'],
  sk_shufflenet_v2: ['attention'],
} as const satisfies Record<Family, readonly (keyof Form)[]>;

/** The paper's network of a family. */
export function paperForm(family: Family): Form {
  return {
    family,
    depths: family === 'sknet' ? '3 4 6 3' : '4 8 4',
    widths: '116 232 464',
    width: 128,
    out_width: 256,
    head: 1024,
    groups: 32,
    r: 16,
    l: 32,
    classes: 1000,
    side: 224,
    attention: true,
    split_input: false,
    ceil_mode: false,
    small_input: false,
    branches: [1, 2].map((dilation) => ({ kernel: 3, dilation, groups: null })),
  };
}

/** The description of what was typed, whether an engine accepts it or not. */
export function describe(form: Form): NetworkDescription {
  const { depths, r, l, classes, attention, side } = form;
  const branches = form.branches.map(({ groups, ...branch }) => ({ ...branch, ...(groups === null ? {} : { groups }) }));
  const common = { depths: list(depths), branches, r, l, attention, input_size: [side, side] as [number, number], classes };
  if (form.family === 'sk_shufflenet_v2') {
    return { sk_shufflenet_v2: { ...common, widths: list(form.widths), head: form.head } };
  }
  const { width, out_width, groups, split_input, ceil_mode, small_input } = form;
  return { sknet: { ...common, width, out_width, groups, split_input, ceil_mode, small_input } };
}

/** The form for a description that an engine has accepted; only square inputs fit the form. */
export function formOf(description: NetworkDescription): Form {
  const family: Family = 'sknet' in description ? 'sknet' : 'sk_shufflenet_v2';
  const { depths, widths, branches, input_size, name: _, ...rest } = (description as Record<Family, Record<string, unknown>>)[family];
  const form = { ...paperForm(family), ...rest };
  if (depths) form.depths = (depths as number[]).join(' ');
  if (widths) form.widths = (widths as number[]).join(' ');
  if (input_size) form.side = (input_size as number[])[0] as number;
  if (branches) form.branches = (branches as Partial<Branch>[]).map((branch) => ({ kernel: 3, dilation: 1, groups: null, ...branch }));
  return form;
}

/** Fields that refusals name; what explains another field comes later. */
const named = ['kernel', 'dilation', 'out_width', 'widths', 'depths', 'head', 'ceil_mode', 'small_input', 'classes', 'groups', 'branches', 'width'];

/** The field that a refusal names, so that its reason stands beside it. */
export function fieldAtFault(message: string): string | undefined {
  const short = /^([rl]) is /.exec(message)?.[1];
  return short ?? named.find((field) => new RegExp(`\\b${field}\\b`).test(message));
}

function list(text: string): number[] {
  return text.split(/[\s,]+/).filter(Boolean).map(Number);
}
