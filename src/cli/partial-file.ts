import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";

/** The system's text of a failed file operation. */
function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * A file that a body is saved in, and that a later download can continue. While it is not complete, a file beside it keeps the
 * ETag of what it is a part of: with it the server can tell whether the rest belongs to the same version (RFC 9110, 13.1.5).
 */
export class PartialFile {
  readonly path: string;
  #descriptor: number | null = null;
  #isRegular = false;
  /** Where the next byte goes. */
  #size = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** How many bytes have been saved. */
  get size(): number {
    return this.#size;
  }

  /** What an earlier download has left: its size and, where it is known, its ETag. Or why that cannot be found out. */
  existing(): { readonly size: number; readonly etag: string | null } | string {
    try {
      const found = statSync(this.path, { throwIfNoEntry: false });
      if (found === undefined) return { size: 0, etag: null };
      if (!found.isFile()) return `${this.path} is no regular file: --resume cannot continue it`;
      return { size: found.size, etag: this.#readEtag() };
    } catch (thrown) {
      return reasonOf(thrown);
    }
  }

  /** Opens the file to write it anew, or from `start` on. Returns the text of an error, or null. */
  open(start: number, etag: string | null): string | null {
    try {
      this.#descriptor = openSync(this.path, start === 0 ? "w" : "r+");
      this.#isRegular = fstatSync(this.#descriptor).isFile();
      this.#size = start;
      if (start === 0) this.#keepEtag(etag);
      return null;
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === "EISDIR") return `${this.path} is a folder: add a file name`;
      return reasonOf(thrown);
    }
  }

  /** Returns the text of an error, or null. */
  write(bytes: Uint8Array): string | null {
    try {
      for (let written = 0; written < bytes.length; ) {
        // A pipe or a terminal has no positions.
        const position = this.#isRegular ? this.#size : null;
        const count = writeSync(this.#descriptor!, bytes, written, bytes.length - written, position);
        written += count;
        this.#size += count;
      }
      return null;
    } catch (thrown) {
      return `${this.path} cannot be written: ${reasonOf(thrown)}`;
    }
  }

  /** A file that is complete needs no ETag any more. */
  close(isComplete: boolean): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
    if (isComplete) this.forgetEtag();
  }

  forgetEtag(): void {
    try {
      rmSync(this.#etagPath, { force: true });
    } catch {
      // It only costs a later --resume a comparison.
    }
  }

  get #etagPath(): string {
    return `${this.path}.std-net-etag`;
  }

  #readEtag(): string | null {
    try {
      return strongEtag(readFileSync(this.#etagPath, "latin1").trim());
    } catch {
      return null;
    }
  }

  #keepEtag(etag: string | null): void {
    this.forgetEtag();
    if (etag === null || !this.#isRegular) return;
    try {
      writeFileSync(this.#etagPath, etag, "latin1");
    } catch {
      // The download is more than its ETag.
    }
  }
}

/** Only a strong ETag says that all bytes are the same (RFC 9110, 8.8.1). A weak one begins with W/. */
export function strongEtag(text: string | undefined): string | null {
  return text !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(text) ? text : null;
}
