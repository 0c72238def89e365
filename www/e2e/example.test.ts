import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openSite, visit } from './browser';
import { galleryFiles } from './explorer';
import { serve } from './server';

const root = new URL('../../', import.meta.url);

test('the example page of the package classifies a photo and prints attention, in under 40 lines', async () => {
  const source = await readFile(new URL('examples/attention.html', root), 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThan(40);
  const { server, url } = await serve(root);
  const site = await openSite('none');
  const { page, problems } = await visit({ ...site, url: `${url}examples/attention.html` });
  const photo = new URL(`www/public/gallery/${(await galleryFiles())[0]}`, root);
  await page.getByLabel('Photo').setInputFiles(fileURLToPath(photo));
  const output = page.getByRole('status');
  await output.getByText('SK_2_1').waitFor();
  const lines = ((await output.textContent()) ?? '').split('\n');
  expect(lines[0]).toMatch(/^\w.*, \d+ %$/);
  expect(lines.filter((line) => /^SK_\d_\d -?\d\.\d{3}$/.test(line))).toHaveLength(16);
  expect(problems.filter((problem) => !problem.includes('404'))).toEqual([]);
  await site.close();
  server.close();
});
