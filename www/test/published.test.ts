import { expect, test } from 'vitest';
import { headerPolicy, policy } from '../build/site';
import { address, defaultMirror, links, mirrorFrom, published, weightSources } from '../src/weights/published';

test('addresses are the publisher\'s, at a revision', () => {
  const entry = published.find(({ id }) => id === 'skresnet34.ra_in1k');
  if (!entry) throw new Error('not listed');
  const path = 'timm/skresnet34.ra_in1k/resolve/566efdc1f858fc81fe6fc9edab3c76524de26529/model.safetensors';
  expect(address(entry, defaultMirror)).toBe(`https://huggingface.co/${path}`);
  expect(address(entry, 'http://localhost:1/a')).toBe(`http://localhost:1/a/${path}`);
});

test('revisions are branches or whole hashes, hashes of files SHA-256', () => {
  for (const { revision, sha256 } of published) {
    expect(revision).toMatch(/^(main|[0-9a-f]{40})$/);
    expect(sha256 ?? '0'.repeat(64)).toMatch(/^[0-9a-f]{64}$/);
  }
});

test('a network has one offer at most', () => {
  const models = [...published, ...links].map(({ model }) => model);
  expect(new Set(models).size).toBe(models.length);
});

test('links go to files of the publisher that carry the start of their SHA-256', () => {
  for (const { url } of links) expect(url).toMatch(/^https:\/\/download\.pytorch\.org\/models\/[\w.]+-[0-9a-f]{10}\.pth$/);
});

test.each([
  ['?mirror=https%3A%2F%2Fhf.example%2F', 'http://chosen/', 'https://hf.example/'],
  ['', 'http://chosen/', 'http://chosen/'],
  ['', null, defaultMirror],
  ['?mirror=javascript%3A1', null, null],
  ['?mirror=hf', null, null],
])('of %j and %j the mirror is %j', (search, chosen, mirror) => {
  expect(mirrorFrom(search, chosen)).toBe(mirror);
});

test('the page may reach the hosts of published weights, what they redirect to, and mirrors: nothing else', () => {
  expect(weightSources()).toEqual(['https://huggingface.co', 'https://*.huggingface.co', 'https://*.hf.co']);
  const connect = /connect-src ([^;]*)/.exec(policy(['https://mirror.example']))?.[1]?.split(' ');
  expect(connect).toEqual(["'self'", ...weightSources(), 'https://mirror.example']);
  for (const entry of published) expect(connect).toContain(new URL(address(entry, defaultMirror)).origin);
});

test('the header keeps other sites from showing the page in theirs; a meta element cannot', () => {
  expect(headerPolicy([])).toBe(`${policy([])}; frame-ancestors 'none'`);
});
