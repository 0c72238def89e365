/**
 * Completes `pkg/` after tsc: copies the bundled weights into `pkg/models/` and writes `pkg/models.js`, so that the
 * list of presets is there without waiting for the wasm. Needs `pkg/engine.js` and `pkg/engine_bg.wasm`.
 *
 * Bundled files are named `models/PRESET.DATASET.safetensors`.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const top = new URL('../../', import.meta.url);
const pkg = new URL('pkg/', top);
const wasm = new URL('engine_bg.wasm', pkg);
if (!existsSync(wasm)) {
  console.error(`${fileURLToPath(wasm)} is missing: build the wasm module first (cargo xtask does it).`);
  process.exit(1);
}

const engine = await import(new URL('engine.js', pkg).href);
await engine.default({ module_or_path: readFileSync(wasm) });
const models = engine.models();

rmSync(new URL('models/', pkg), { recursive: true, force: true });
mkdirSync(new URL('models/', pkg));
const bundled = readdirSync(new URL('models/', top))
  .filter((name) => name.endsWith('.safetensors'))
  .map((name) => {
    const file = readFileSync(new URL(`models/${name}`, top));
    writeFileSync(new URL(`models/${name}`, pkg), file);
    const sha256 = createHash('sha256').update(file).digest('hex');
    // A bundler finds and copies the file by the expression of its address.
    return `  ${JSON.stringify(name.split('.')[0])}: { url: new URL('./models/${name}', import.meta.url), sha256: '${sha256}' },`;
  });
copyFileSync(new URL('models/imagenet1k-labels.json', top), new URL('models/imagenet1k-labels.json', pkg));

writeFileSync(
  new URL('models.js', pkg),
  `export const models = ${JSON.stringify(models)};\nexport const bundled = {\n${bundled.join('\n')}\n};\n`,
);
copyFileSync(new URL('www/build/README.md', top), new URL('README.md', pkg));
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) copyFileSync(new URL(name, top), new URL(name, pkg));
const version = /^version = "(.*)"$/m.exec(readFileSync(new URL('Cargo.toml', top), 'utf8'))?.[1];
writeFileSync(
  new URL('package.json', pkg),
  `${JSON.stringify({ name: 'sklens', version, type: 'module', description: 'Selective Kernel networks on WebGPU and WebAssembly, with their attention', license: 'MIT OR Apache-2.0', keywords: ['attention', 'cnn', 'explainability', 'webgpu', 'wasm'], main: 'sklens.js', types: 'sklens.d.ts', sideEffects: false }, null, 2)}\n`,
);
