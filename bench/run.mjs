/** `node run.mjs [SUITE…]`: runs the suites and writes the report. Paths come from `cargo xtask bench`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { report } from './report.mjs';
import { serve } from './server.mjs';
import { SAMPLES, native, wasm, webgpu } from './suites.mjs';

const suites = { native, wasm, webgpu };

const path = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; start this with \`cargo xtask bench\``);
  return value;
};
const folders = { cases: path('BENCH_CASES'), operator: path('BENCH_OPERATOR'), pkg: path('BENCH_PKG') };
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites);
const cases = JSON.parse(readFileSync(`${folders.cases}/cases.json`, 'utf8'));
const server = await serve({ ...folders, node_modules: new URL('node_modules', import.meta.url).pathname });
const options = {
  url: server.url,
  executable: path('BENCH_CHROMIUM'),
  adapter: process.env.BENCH_ADAPTER,
  cases: folders.cases,
  python: path('BENCH_PYTHON'),
  program: path('BENCH_NATIVE'),
};

const saved = `${folders.cases}/../results.json`;
// Suites that do not run keep their last results.
const results = Object.fromEntries(read(saved).map((result) => [result.name, result]));
for (const name of chosen) {
  const suite = suites[name];
  if (!suite) throw new Error(`no suite ${name}; there are ${Object.keys(suites).join(', ')}`);
  console.log(suite.title);
  const contestants = suite.contestants(options);
  for (const contestant of contestants) await contestant.start(options);
  const abouts = Object.fromEntries(contestants.map(({ label, about }) => [label, about]));
  const result = await suite.run(contestants, cases, folders.cases);
  results[name] = { name, samples: SAMPLES[name], result, abouts };
  // An hour's work outlives what stops the next suite.
  writeFileSync(saved, JSON.stringify(Object.values(results)));
  for (const contestant of contestants) await contestant.close();
}
server.close();

const all = Object.keys(suites).flatMap((name) => results[name] ?? []);
writeFileSync(
  path('BENCH_REPORT'),
  report({
    results: all.map(({ name, ...rest }) => ({ suite: suites[name], ...rest })),
    missing: Object.keys(suites).filter((name) => !all.some((r) => r.name === name)).map((name) => suites[name]),
    versions: versions(),
    machine: `${cpus()[0].model}, ${cpus().length} cores, shared`,
  }),
);

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

function versions() {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  const lock = readFileSync(new URL('native/Cargo.lock', import.meta.url), 'utf8');
  const tract = /name = "tract-onnx"\nversion = "([^"]+)"/.exec(lock)?.[1];
  const python = execFileSync(options.python, ['-c', 'import onnxruntime; print(onnxruntime.__version__)'], { encoding: 'utf8' });
  const chromium = execFileSync(options.executable, ['--version'], { encoding: 'utf8' });
  return [
    `${chromium.trim()}`,
    `onnxruntime-web ${dependencies['onnxruntime-web']}`,
    `TensorFlow.js ${dependencies['@tensorflow/tfjs-core']}`,
    `onnxruntime ${python.trim()}`,
    `tract ${tract}`,
  ].join(', ').concat('.');
}
