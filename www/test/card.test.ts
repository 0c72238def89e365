import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cardPage } from '../build/card.ts';

describe('the model card’s page', () => {
  it('has the card’s title, tables and figures', () => {
    const page = cardPage('# A model\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n![curves](figures/scale.svg)\n');
    expect(page).toContain('<title>A model · SK Lens</title>');
    expect(page).toContain('<td>2</td>');
    expect(page).toContain('<img src="figures/scale.svg" alt="curves">');
  });

  it('refuses a card without a title', () => {
    expect(() => cardPage('text')).toThrow('no first-level heading');
  });

  it('describes the shipped model without a broken figure', () => {
    const folder = new URL('../../models/', import.meta.url);
    const page = cardPage(readFileSync(new URL('README.md', folder), 'utf8'));
    for (const [, address] of page.matchAll(/<img src="([^"]*)"/g)) {
      expect(readFileSync(new URL(address!, folder), 'utf8')).toContain('<svg');
    }
  });
});
