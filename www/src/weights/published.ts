/** Weights that their publishers host where a page may read them. */

export interface Published {
  /** Names the copy in the browser's storage. */
  id: string;
  /** The preset that they fit. */
  model: string;
  /** Repository on Hugging Face. */
  repository: string;
  /** A commit, or a branch where the commit's full hash is not known. */
  revision: string;
  /** As the publisher's page gives it, for people. */
  megabytes: number;
  /** Of the file, where the publisher's page was seen to give it. */
  sha256?: string;
  licence: { name: string; url: string };
}

const apache = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };

export const published: readonly Published[] = [
  { id: 'skresnext50_32x4d.ra_in1k', model: 'sknet50', revision: 'main', megabytes: 110 },
  { id: 'skresnet18.ra_in1k', model: 'skresnet18', revision: 'main', megabytes: 47.9 },
  { id: 'skresnet34.ra_in1k', model: 'skresnet34', revision: '566efdc1f858fc81fe6fc9edab3c76524de26529', megabytes: 89.3 },
  {
    id: 'resnext50_32x4d.a1h_in1k',
    model: 'resnext50_32x4d',
    revision: '8af8dd95e2a7538fad74714fc76507d9de9de33c',
    megabytes: 100,
    sha256: 'b952952a7b3e856b16ebf82fb44d2aa8c502e73ec678976c9e3b970fcd530bd5',
  },
  { id: 'seresnext50_32x4d.racm_in1k', model: 'seresnext50_32x4d', revision: 'main', megabytes: 111 },
].map((entry) => ({ ...entry, repository: `timm/${entry.id}`, licence: apache }));

/** Weights that their publishers host where a page may not be allowed to read them; people may, and open the file. */
export interface Link {
  /** The preset that they fit. */
  model: string;
  name: string;
  url: string;
  megabytes: number;
  licence: { name: string; url: string };
}

const torchvision = { name: 'torchvision’s terms', url: 'https://github.com/pytorch/vision#pre-trained-model-license' };

export const links: readonly Link[] = [
  { model: 'shufflenet_v2_x0_5', name: 'torchvision ShuffleNet_V2_X0_5 IMAGENET1K_V1', file: 'shufflenetv2_x0.5-f707e7126e.pth', megabytes: 5.3 },
  { model: 'shufflenet_v2_x1_0', name: 'torchvision ShuffleNet_V2_X1_0 IMAGENET1K_V1', file: 'shufflenetv2_x1-5666bf0f80.pth', megabytes: 8.8 },
].map(({ file, ...entry }) => ({ ...entry, url: `https://download.pytorch.org/models/${file}`, licence: torchvision }));

export const defaultMirror = 'https://huggingface.co/';

/** Where hosts send those who ask for a file: to networks that deliver it, as sources of a Content-Security-Policy. */
const DELIVERY: Record<string, readonly string[]> = {
  'https://huggingface.co': ['https://*.huggingface.co', 'https://*.hf.co'],
};

/** All that a page has to reach for the published weights. */
export function weightSources(): string[] {
  const origins = new Set(published.map((entry) => new URL(address(entry, defaultMirror)).origin));
  return [...origins].flatMap((origin) => [origin, ...(DELIVERY[origin] ?? [])]);
}

/** Where `weights` are on a host laid out as Hugging Face. */
export function address({ repository, revision }: Published, mirror: string): string {
  return `${mirror.replace(/\/*$/, '/')}${repository}/resolve/${revision}/model.safetensors`;
}

/** The host in the page's address (`?mirror=`), else the one chosen before, else the publisher's; null if it is no address. */
export function mirrorFrom(search: string, chosen: string | null): string | null {
  const wanted = new URLSearchParams(search).get('mirror') ?? chosen ?? defaultMirror;
  return URL.canParse(wanted) && /^https?:$/.test(new URL(wanted).protocol) ? wanted : null;
}
