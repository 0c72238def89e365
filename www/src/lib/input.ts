/** Pictures and weights from drops and pastes. */

/** What a file dialog for weights offers. */
export const weightsAccepted = '.safetensors,.pth,.pt,.tar,.bin,.caffemodel';
const endings = weightsAccepted.split(',');

/** Files taken from dropped folders; a drop of a whole disk must end. */
const MAX_FILES = 1000;

/** The files and folders in a drop or paste. To be called while the event lasts. */
export function entriesIn(data: DataTransfer | null): FileSystemEntry[] {
  return [...(data?.items ?? [])].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
}

/** The files in a drop or paste, those in its folders included. To be called while the event lasts. */
export async function filesIn(data: DataTransfer | null): Promise<File[]> {
  // The list is empty as soon as the event is over.
  const files = [...(data?.files ?? [])];
  const entries = entriesIn(data);
  if (!entries.some(({ isDirectory }) => isDirectory)) return files;
  const found: File[] = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

/** Adds the files of `entry` to `found`. What cannot be read is left out. */
async function collect(entry: FileSystemEntry, found: File[]): Promise<void> {
  if (found.length >= MAX_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File | null>((resolve) => (entry as FileSystemFileEntry).file(resolve, () => resolve(null)));
    if (file) found.push(file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return;
    for (const each of some) await collect(each, found);
  }
}

/** The first file that is named as weights are. */
export function weightsIn(files: readonly File[]): File | undefined {
  return files.find(({ name }) => endings.some((ending) => name.toLowerCase().endsWith(ending)));
}

/** The first file that may be a picture; files without a type are tried too, the decoders decide. */
export function pictureIn(files: readonly File[]): File | undefined {
  return files.find((file) => file.type.startsWith('image/')) ?? files[0];
}

/** Whether what hangs over the page is a file. */
export function carriesFiles(data: DataTransfer | null): boolean {
  return data?.types.includes('Files') ?? false;
}
