import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { card } from './build/card.ts';
import { LIBRARIES, site } from './build/site.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** For unit tests and `--mode fake` (development only): the API's sources on a stand-in for the wasm. */
function fakeEngine(): Plugin {
  return {
    name: 'fake-engine',
    enforce: 'pre',
    resolveId: (source) => {
      const module = /^\.\/(engine|measure|models|pictures|readers)(?:_relaxed)?\.js$/.exec(source)?.[1];
      return module && path(`./test/fake-${module}.ts`);
    },
  };
}

export default defineConfig(({ mode, command }) => {
  const testing = process.env.VITEST !== undefined;
  const fake = testing || (mode === 'fake' && command === 'serve');
  return {
    root: path(testing ? '.' : '..'),
    base: './',
    cacheDir: path('./node_modules/.vite'),
    publicDir: path('./public'),
    plugins: [
      svelte({ configFile: false, prebundleSvelteLibraries: false }),
      ...(fake ? [fakeEngine()] : []),
      card(new URL('../models/', import.meta.url)),
      site({
        release: Boolean(process.env.VITE_OFFLINE),
        mirrors: process.env.SKLENS_MIRRORS?.split(' ').filter(Boolean) ?? [],
        template: new URL('./build/sw.js', import.meta.url),
        crates: new URL('../pkg/THIRD-PARTY.txt', import.meta.url),
      }),
    ],
    resolve: {
      alias: { sklens: fake ? path('./api/sklens.ts') : path('../pkg/sklens.js') },
      ...(testing ? { conditions: ['browser'] } : {}),
    },
    optimizeDeps: { exclude: ['svelte'] },
    worker: { format: 'es' },
    build: {
      target: 'es2023',
      outDir: path('../dist'),
      emptyOutDir: true,
      assetsInlineLimit: 0,
      license: { fileName: LIBRARIES },
      rolldownOptions: {
        input: path('../index.html'),
        output: {
          assetFileNames: ({ names }) =>
            names.some((name) => name.endsWith('.safetensors')) ? 'models/[name]-[hash][extname]' : 'assets/[name]-[hash][extname]',
        },
      },
    },
    server: { watch: { ignored: ['**/target/**', '**/dist/**'] } },
    test: { include: ['test/**/*.test.ts'], environment: 'node' },
  };
});
