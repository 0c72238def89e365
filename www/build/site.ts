/** What a published site needs besides the page: a security policy, offline use, an install manifest, compressed copies. */
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { en, type Strings } from '../src/strings/en.ts';
import { ja } from '../src/strings/ja.ts';
import { weightSources } from '../src/weights/published.ts';

/** The file with the licences of all libraries in the page; Vite writes those of packages. */
export const LIBRARIES = 'third-party.txt';
/** Types that compression makes smaller. */
const COMPRESSED = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt', '.wasm', '.webmanifest']);

/** The Content-Security-Policy of the page; `mirrors` are further hosts that weights may come from. */
export function policy(mirrors: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    // Charts carry a style sheet and styles of their own.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' blob: data:",
    ['connect-src', "'self'", ...weightSources(), ...mirrors].join(' '),
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types default svelte-trusted-html',
  ].join('; ');
}

/** The policy as a header, which alone can forbid other sites to show the page in theirs. */
export const headerPolicy = (mirrors: readonly string[]) => `${policy(mirrors)}; frame-ancestors 'none'`;

/** What a page may ask of the device: its camera, and of that only the page itself. */
const PERMISSIONS = 'camera=(self), microphone=(), geolocation=(), display-capture=()';

/** The origin of a mirror; throws where `url` is none that a policy can name. */
export function mirrorOrigin(url: string): string {
  const { origin, protocol } = new URL(url);
  if (protocol !== 'https:') throw new Error(`the mirror ${url} must be an https address`);
  return origin;
}

/** The install manifest in a language. */
const manifest = (lang: string, { name, description }: Strings) => ({
  id: './',
  name,
  short_name: name,
  description,
  lang,
  start_url: './',
  scope: './',
  display: 'standalone',
  background_color: '#ffffff',
  theme_color: '#ffffff',
  icons: [{ src: './icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
});

/** What the page says where its scripts do not run, after a moment, so that nobody else sees it; they remove it. */
const waiting = () => ({
  tag: 'div',
  attrs: { id: 'waiting' },
  children: [
    { tag: 'style', children: '#waiting { position: absolute; padding: 2rem; font-family: system-ui; animation: appear 0s 3s both } @keyframes appear { from { visibility: hidden } }' },
    ...Object.entries({ en, ja }).map(([lang, { waiting }]) => ({ tag: 'p', attrs: { lang }, children: waiting('cargo xtask serve') })),
  ],
  injectTo: 'body' as const,
});

/** Files below `folder`, as paths with slashes. */
function files(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? files(folder, `${below}${entry.name}/`) : [`${below}${entry.name}`]))
    .sort();
}

/** `sw.js` for `names` in `folder` under `policy`; it changes whenever one of them does. */
function serviceWorker(folder: string, names: readonly string[], policy: string, template: string): string {
  const hash = createHash('sha256').update(policy);
  for (const name of names) hash.update(name).update(readFileSync(join(folder, name)));
  const constants = { VERSION: hash.digest('hex').slice(0, 16), FILES: names, POLICY: policy };
  const lines = Object.entries(constants).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
  return lines.join('') + template;
}

function compress(folder: string): void {
  for (const name of files(folder).filter((name) => COMPRESSED.has(extname(name)))) {
    const bytes = readFileSync(join(folder, name));
    writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }));
    writeFileSync(join(folder, `${name}.br`), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

export interface Options {
  /** Adds offline use and compressed copies. */
  release: boolean;
  mirrors: readonly string[];
  /** The service worker. */
  template: URL;
  /** The licences of the crates in the engine. */
  crates: URL;
}

/** The policy, the manifest and the libraries' licences are always there. */
export function site({ release, mirrors, template, crates }: Options): Plugin {
  const origins = mirrors.map(mirrorOrigin);
  const header = headerPolicy(origins);
  let folder = '';
  return {
    name: 'site',
    apply: 'build',
    configResolved: ({ build }) => {
      folder = build.outDir;
    },
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: policy(origins) }, injectTo: 'head-prepend' },
      { tag: 'link', attrs: { rel: 'manifest', href: './manifest.en.webmanifest' }, injectTo: 'head' },
      waiting(),
    ],
    closeBundle: () => {
      for (const [lang, strings] of Object.entries({ en, ja })) {
        writeFileSync(join(folder, `manifest.${lang}.webmanifest`), JSON.stringify(manifest(lang, strings)));
      }
      // A meta element does not reach the worker; hosts that read this file send the policy with its script.
      writeFileSync(join(folder, '_headers'), `/*\n  Content-Security-Policy: ${header}\n  Permissions-Policy: ${PERMISSIONS}\n  X-Content-Type-Options: nosniff\n  Referrer-Policy: no-referrer\n`);
      appendFileSync(join(folder, LIBRARIES), `\n# Licenses of the engine\n\n${readFileSync(crates, 'utf8')}`);
      if (!release) return;
      const cached = files(folder).filter((name) => name !== '_headers' && extname(name) !== '.md');
      writeFileSync(join(folder, 'sw.js'), serviceWorker(folder, cached, header, readFileSync(template, 'utf8')));
      compress(folder);
    },
  };
}
