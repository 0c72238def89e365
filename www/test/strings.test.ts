import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { captionOf, type GalleryEntry } from '../src/lib/gallery';
import { t, times } from '../src/strings';
import { en } from '../src/strings/en';
import { ja } from '../src/strings/ja';
import { language, preferred, speak } from '../src/strings/language.svelte';

afterEach(() => speak('en'));

/** Counts as text, as a number and as a list. */
const SAMPLE = Object.assign(Object('17') as string, { join: () => '17' });

/** What a text says of samples. */
const told = (text: (...values: unknown[]) => unknown): string => String(text(...Array<unknown>(9).fill(SAMPLE)));

/** Every text of a language by its path. */
function texts(part: unknown, path = ''): [string, string][] {
  if (typeof part === 'string') return [[path, part]];
  if (typeof part === 'function') return [[path, told(part as () => unknown)]];
  return Object.entries(part as object).flatMap(([key, value]) => texts(value, path ? `${path}.${key}` : key));
}

const withoutFormats = ({ format: _, sentences: __, ...rest }: typeof en) => rest;
const english = new Map(texts(withoutFormats(en)));
const japanese = new Map(texts(withoutFormats(ja)));

/** Names, signs and numbers, the same in both languages. */
const SAME = new RegExp(
  `^(${[
    'name',
    'marks\\..*',
    'engine\\.(choices\\.[gc]pu|precisions\\.f\\d+|bytes|count|compact|pixels|percentages|runs)',
    'networks\\.(millions|decimals|groups\\.timm|build\\.families\\.sk_shufflenet_v2)',
    'figure3\\.difference',
    'speed\\.(yLabel|figure|columns\\.g.*)',
    'downloads\\.size',
    'field\\.(share|pixels)',
    'stimuli\\.value',
    'collections\\.(columns\\.deviation|phases\\.empty)',
    'network\\.range',
    'tour\\.unit\\.branch',
  ].join('|')})$`,
);

test('both languages have the same texts, but for photos that stand in English beside themselves', () => {
  const paths = (all: Map<string, string>) => [...all.keys()].filter((path) => !path.startsWith('photo.captions'));
  expect(paths(japanese)).toEqual(paths(english));
});

test('every Japanese text is Japanese', () => {
  for (const [path, text] of japanese) {
    if (SAME.test(path)) continue;
    expect(text, path).toMatch(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u);
    expect(text.replace('sklens convert', ''), path).not.toMatch(/[a-z]{2,} [a-z]{2,}/);
    expect(text, path).not.toBe(english.get(path));
  }
});

test('texts take what they are given', () => {
  for (const [path, text] of [...english, ...japanese]) {
    expect(text, path).not.toMatch(/undefined|NaN|\[object/);
    if (!/phases\.empty|inputs\.labels/.test(path)) expect(text.trim(), path).not.toBe('');
  }
});

test('Japanese counts kernels', () => {
  expect(ja.lead(['3×3'])).toContain('選ぶ余地がない');
  expect(ja.lead(['3×3', '5×5'])).toContain('3×3、5×5の2種類のカーネルで写真を見て、どちらを');
  expect(ja.lead(['3×3', '5×5', '7×7'])).toContain('3種類のカーネルで写真を見て、どれを');
});

test('Japanese writes numbers as Japanese does', () => {
  expect(ja.format.times(1.4)).toBe('1.40倍');
  expect(ja.format.compact(27_532_152)).toBe('2753万');
  expect([ja.format.percent(0.52), en.format.percent(0.52)]).toEqual(['52%', '52 %']);
  expect(ja.format.signed(-0.25)).toBe('−0.250');
  expect(ja.sentences(['甲。', '乙。'])).toBe('甲。乙。');
});

test('every photo of the gallery has a Japanese title and description', async () => {
  const gallery = JSON.parse(await readFile(new URL('../public/gallery/gallery.json', import.meta.url), 'utf8')) as GalleryEntry[];
  expect(Object.keys(ja.photo.captions).sort()).toEqual(gallery.map(({ file }) => file).sort());
  const [first] = gallery as [GalleryEntry];
  expect(captionOf(first).title).toBe(first.title);
  await speak('ja');
  expect(captionOf(first).title).toBe('レッサーパンダ');
});

test('the choice before counts more than the browser, whose first known language counts', () => {
  expect(preferred(null, ['de-DE', 'ja-JP', 'en'])).toBe('ja');
  expect(preferred(null, ['de', 'fr'])).toBe('en');
  expect(preferred('en', ['ja'])).toBe('en');
  expect(preferred('toString', ['JA'])).toBe('ja');
});

test('texts that were kept follow the language; the last choice counts', async () => {
  const kept = t.tour.window;
  await speak('ja');
  expect([language(), kept.heading, kept.text.length, times(2)]).toEqual(['ja', ja.tour.window.heading, 2, '2.00倍']);
  await Promise.all([speak('ja'), speak('en')]);
  expect([language(), kept.heading]).toEqual(['en', en.tour.window.heading]);
});
