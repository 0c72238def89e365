/** Many photos at once: finding them in folders, and what is kept of each. Files are opened one at a time. */

/** A photo that waits. */
export interface Item {
  /** Below the chosen folder, with `/`. */
  path: string;
  /** First folder of the path; null outside folders. */
  class: string | null;
  file: () => Promise<Blob>;
}

const ending = /\.(jpe?g|png|webp)$/i;

/** Items in the order of `sklens sweep`; what is not called a photo is left out. */
export function itemsOf(found: readonly { path: string; file: () => Promise<Blob> }[]): Item[] {
  const parts = (path: string) => path.split('/');
  return found
    .filter(({ path }) => ending.test(path))
    .map(({ path, file }) => ({ path, file, class: path.includes('/') ? (parts(path)[0] ?? null) : null }))
    .sort((a, b) => compare(parts(a.path), parts(b.path)));
}

function compare(a: readonly string[], b: readonly string[]): number {
  const place = a.findIndex((part, index) => part !== b[index]);
  if (place < 0) return a.length - b.length;
  const [left = '', right] = [a[place], b[place]];
  return right === undefined || left > right ? 1 : -1;
}

/** What a file dialog gives; of a folder it names the folder first. */
export function chosenItems(files: Iterable<File>): Item[] {
  return itemsOf(
    [...files].map((file) => ({
      path: file.webkitRelativePath ? file.webkitRelativePath.split('/').slice(1).join('/') : file.name,
      file: () => Promise.resolve(file),
    })),
  );
}

/** What was dropped: the content of a single folder, or folders and photos side by side. */
export async function droppedItems(entries: readonly FileSystemEntry[]): Promise<Item[]> {
  const [only] = entries;
  const found: { path: string; file: () => Promise<Blob> }[] = [];
  if (entries.length === 1 && only?.isDirectory) await walk(await children(only as FileSystemDirectoryEntry), '', found);
  else await walk(entries, '', found);
  return itemsOf(found);
}

async function walk(
  entries: readonly FileSystemEntry[],
  below: string,
  found: { path: string; file: () => Promise<Blob> }[],
): Promise<void> {
  for (const entry of entries) {
    const path = below + entry.name;
    if (entry.isDirectory) await walk(await children(entry as FileSystemDirectoryEntry), `${path}/`, found);
    else found.push({ path, file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) });
  }
}

/** A folder's entries, which browsers hand out in parts. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all;
    all.push(...part);
  }
}
