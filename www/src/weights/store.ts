/**
 * Downloads in the origin's private file system: a folder for each, with pieces of {@link PIECE} bytes and `about.json`.
 * A piece is written whole or not at all, so a download that breaks off goes on behind the last one.
 */

export const PIECE = 4 << 20;

/** What is known of a stored download. */
export interface About {
  url: string;
  /** As the server named this version, if it did. */
  etag: string | null;
  /** Of the whole file; null while the server has not said. */
  size: number | null;
  complete: boolean;
  /** In hexadecimal, as it arrived; absent while it is not whole. */
  sha256?: string;
}

/** A stored download, for people. */
export interface Stored {
  id: string;
  bytes: number;
  complete: boolean;
  /** In hexadecimal, once it is whole. */
  sha256?: string;
}

const root = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('weights', { create: true });
const pieceName = (index: number) => `${String(index).padStart(5, '0')}.piece`;

/** One download's folder. */
export class Folder {
  private constructor(private readonly handle: FileSystemDirectoryHandle) {}

  static async open(id: string): Promise<Folder> {
    return new Folder(await (await root()).getDirectoryHandle(id, { create: true }));
  }

  async about(): Promise<About | null> {
    try {
      return JSON.parse(await (await this.#file('about.json')).text()) as About;
    } catch {
      return null;
    }
  }

  describe(about: About): Promise<void> {
    return this.#write('about.json', JSON.stringify(about));
  }

  /** The pieces, in order. */
  async pieces(): Promise<File[]> {
    const names: string[] = [];
    for await (const name of this.handle.keys()) if (name.endsWith('.piece')) names.push(name);
    return Promise.all(names.sort().map((name) => this.#file(name)));
  }

  append(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#write(pieceName(index), bytes);
  }

  async clear(): Promise<void> {
    const names: string[] = [];
    for await (const name of this.handle.keys()) names.push(name);
    for (const name of names) await this.handle.removeEntry(name);
  }

  async #file(name: string): Promise<File> {
    return (await this.handle.getFileHandle(name)).getFile();
  }

  async #write(name: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const writable = await (await this.handle.getFileHandle(name, { create: true })).createWritable();
    await writable.write(content);
    await writable.close();
  }
}

/** Everything of which something is stored, whole or not. */
export async function stored(): Promise<Stored[]> {
  const found: Stored[] = [];
  for await (const id of (await root()).keys()) {
    const folder = await Folder.open(id);
    const pieces = await folder.pieces();
    const bytes = pieces.reduce((sum, { size }) => sum + size, 0);
    if (bytes === 0) continue;
    const { complete = false, sha256 } = (await folder.about()) ?? {};
    found.push({ id, bytes, complete, ...(sha256 ? { sha256 } : {}) });
  }
  return found;
}

/** The stored file, if it is whole. The browser reads it from its disk as needed. */
export async function storedFile(id: string): Promise<Blob | null> {
  const folder = await Folder.open(id);
  return (await folder.about())?.complete ? new Blob(await folder.pieces()) : null;
}

/** Frees what a download takes. */
export async function remove(id: string): Promise<void> {
  await (await root()).removeEntry(id, { recursive: true });
}
