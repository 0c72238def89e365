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

test.each(['README.md', 'www/build/README.md'])('the code in %s runs as it stands', async (name) => {
  const text = await readFile(new URL(name, root), 'utf8');
  const blocks = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(0);
  const { server, url } = await serve(root);
  const site = await openSite('none');
  const { page } = await visit({ ...site, url: `${url}examples/attention.html` });
  const logged: string[] = [];
  page.on('console', (message) => message.type() === 'log' && logged.push(message.text()));
  const failed = new Promise<never>((_, reject) => page.once('pageerror', reject));
  // One session serves all blocks, so it is closed behind the last.
  const code = blocks.join('\n').replace('session.close();', '').replaceAll(/'(\.\/pkg\/sklens\.js|sklens)'/g, `'${url}pkg/sklens.js'`);
  const photo = `${url}www/public/gallery/${(await galleryFiles())[0]}`;
  const done = page.waitForEvent('console', (message) => message.text() === 'done');
  await page.addScriptTag({
    type: 'module',
    content: `const file = await (await fetch('${photo}')).blob();\n${code}\nsession.close();\nconsole.log('done');`,
  });
  await Promise.race([done, failed]);
  expect(logged[0]).toMatch(/^[a-z ]+ \[?/);
  expect(logged).toHaveLength(blocks.length + 1);
  await site.close();
  server.close();
});
