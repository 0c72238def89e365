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

export const defaultMirror = 'https://huggingface.co/';

/** Where `weights` are on a host laid out as Hugging Face. */
export function address({ repository, revision }: Published, mirror: string): string {
  return `${mirror.replace(/\/*$/, '/')}${repository}/resolve/${revision}/model.safetensors`;
}

/** The host in the page's address (`?mirror=`), else the one chosen before, else the publisher's; null if it is no address. */
export function mirrorFrom(search: string, chosen: string | null): string | null {
  const wanted = new URLSearchParams(search).get('mirror') ?? chosen ?? defaultMirror;
  return URL.canParse(wanted) && /^https?:$/.test(new URL(wanted).protocol) ? wanted : null;
}
