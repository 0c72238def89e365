/** Charts and numbers as files. */

const SVG = 'http://www.w3.org/2000/svg';

/** Hands the visitor a file. */
export function save(content: Blob | string, name: string, type = 'text/plain'): void {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Puts colours in place of CSS variables, so that the picture stands on its own. */
export function withoutVariables(markup: string, valueOf: (variable: string) => string): string {
  return markup.replace(/var\((--[\w-]+)\)/g, (_, variable: string) => valueOf(variable));
}

/** A drawing of the page as a file of its own: present colours, a background, and the hatches that it refers to. */
export function standaloneSvg(drawn: SVGSVGElement): string {
  const copy = drawn.cloneNode(true) as SVGSVGElement;
  const style = getComputedStyle(document.documentElement);
  copy.removeAttribute('aria-hidden');
  copy.setAttribute('xmlns', SVG);
  copy.setAttribute('color', style.getPropertyValue('--ink'));
  copy.setAttribute('font-family', 'system-ui, sans-serif');
  copy.setAttribute('font-size', '12');
  const defs = document.createElementNS(SVG, 'defs');
  for (const hatch of document.querySelectorAll('pattern[id^=hatch-]')) defs.append(hatch.cloneNode(true));
  const ground = document.createElementNS(SVG, 'rect');
  ground.setAttribute('width', '100%');
  ground.setAttribute('height', '100%');
  ground.setAttribute('fill', 'var(--paper)');
  copy.prepend(defs, ground);
  return withoutVariables(new XMLSerializer().serializeToString(copy), (variable) => style.getPropertyValue(variable).trim());
}

/** The same as pixels, `density` per unit of the drawing. */
export async function png(svg: string, width: number, height: number, density = 2): Promise<Blob> {
  const image = new Image();
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(width * density, height * density);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: 'image/png' });
  } finally {
    URL.revokeObjectURL(url);
  }
}
