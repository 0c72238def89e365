/** The model card as a page of the site: `models/README.md` and its figures. */
import { readFileSync, readdirSync } from 'node:fs';
import { marked } from 'marked';
import type { Plugin } from 'vite';

/** The page's name; its figures keep their addresses relative to it. */
export const PAGE = 'model-card.html';
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'";
const STYLE = `:root { color-scheme: light dark }
body { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; font: 1rem/1.55 system-ui, sans-serif }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 0.9rem }
th, td { padding: 0.25rem 0.8rem 0.25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884 }
h1, td { overflow-wrap: anywhere }
td:not(:first-child) { font-variant-numeric: tabular-nums }
img { max-width: 100%; background: #fff }`;

/** A document from the card's Markdown; its first heading is the title. */
export function cardPage(markdown: string): string {
  const title = /^# (.*)$/m.exec(markdown)?.[1];
  if (!title) throw new Error('the model card has no first-level heading');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${POLICY}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>${title} · SK Lens</title>
<link rel="icon" href="./icon.svg" type="image/svg+xml" />
<style>${STYLE}</style>
</head>
<body>
<p><a href="./">SK Lens</a></p>
<main>
${marked.parse(markdown, { async: false })}</main>
</body>
</html>
`;
}

/** Figures of the card: names below `folder`'s `figures/`. */
function figures(folder: URL): string[] {
  return readdirSync(new URL('figures/', folder)).filter((name) => name.endsWith('.svg')).sort();
}

/** Adds the card that lies in `folder` to the built site. */
export function card(folder: URL): Plugin {
  return {
    name: 'card',
    apply: 'build',
    generateBundle() {
      const source = cardPage(readFileSync(new URL('README.md', folder), 'utf8'));
      this.emitFile({ type: 'asset', fileName: PAGE, source });
      for (const name of figures(folder)) {
        this.emitFile({ type: 'asset', fileName: `figures/${name}`, source: readFileSync(new URL(`figures/${name}`, folder)) });
      }
    },
  };
}
