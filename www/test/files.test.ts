import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Explorer } from '../src/state.svelte';
import { WeightsFiles } from '../src/weights/files.svelte';
import { LocalWorker } from './local-worker';

const file = (text: string) => new File([text], 'mine.pth');
let explorer: Explorer;
let files: WeightsFiles;

beforeEach(async () => {
  LocalWorker.install();
  vi.stubGlobal('document', { baseURI: 'http://localhost/' });
  explorer = new Explorer();
  files = new WeightsFiles(explorer);
  await explorer.run('auto');
});
afterEach(() => vi.unstubAllGlobals());

test('a recognised file runs without a question', async () => {
  await files.open(file('sknet50'));
  expect(explorer.info?.model).toBe('sknet50');
  expect([files.pending, files.ambiguous, explorer.misfit]).toEqual([null, null, null]);
});

test('where several networks fit the most probable runs, and the others can be chosen while it does', async () => {
  await files.open(file('sknet50 sk_shufflenet_v2_x1_0'));
  expect(explorer.info?.model).toBe('sk_shufflenet_v2_x1_0');
  expect(files.ambiguous?.inspection.candidates).toEqual(['sk_shufflenet_v2_x1_0', 'sknet50']);
  files.reconsider();
  expect(files.pending?.file.name).toBe('mine.pth');
  await explorer.show({ model: 'sknet50', random: true });
  expect(files.ambiguous).toBeNull();
});

test('a file that fits nothing waits, and the network before still runs', async () => {
  const before = explorer.info?.model;
  await files.open(file('nothing known'));
  expect(files.pending?.inspection.mismatches).toHaveLength(2);
  expect([explorer.info?.model, explorer.opening, explorer.progress]).toEqual([before, false, null]);
});

test('a damaged file is reported, and the network before still runs', async () => {
  await files.open(file('damaged'));
  expect([files.pending, explorer.misfit]).toEqual([null, 'The file is damaged.']);
  expect(explorer.info).not.toBeNull();
});

test('of two files in a row the second counts', async () => {
  await Promise.all([files.open(file('sk_shufflenet_v2_x1_0')), files.open(file('sknet50'))]);
  expect(explorer.info?.model).toBe('sknet50');
});
