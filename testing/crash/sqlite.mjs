// Locates the rows of a table in a SQLite file, so that a test can damage them
// (https://www.sqlite.org/fileformat2.html).
import { readFileSync } from "node:fs";

const [INTERIOR, LEAF] = [0x05, 0x0d];
const FILE_HEADER_BYTES = 100;

/** A closed SQLite file with a checkpointed write-ahead log. */
export class SqliteFile {
  constructor(path) {
    this.bytes = readFileSync(path);
    const size = this.bytes.readUInt16BE(16);
    this.pageBytes = size === 1 ? 65_536 : size;
    this.usableBytes = this.pageBytes - this.bytes[20];
  }

  /** A table's rows in order of insertion: for each column, the file offsets of its bytes. */
  rows(table) {
    const schema = this.#leaves(1).flatMap((leaf) => this.#cells(leaf));
    const text = (offsets) => `${Buffer.from(offsets.map((at) => this.bytes[at]))}`;
    const entry = schema.find(([kind, name]) => text(kind) === "table" && text(name) === table);
    const root = entry[3].reduce((root, at) => 256 * root + this.bytes[at], 0);
    return this.#leaves(root).flatMap((leaf) => this.#cells(leaf));
  }

  /** File offset of a page's header. */
  #header(page) {
    return (page - 1) * this.pageBytes + (page === 1 ? FILE_HEADER_BYTES : 0);
  }

  /** File offsets of a page's cells. */
  #pointers(page) {
    const header = this.#header(page);
    const first = header + (this.bytes[header] === INTERIOR ? 12 : 8);
    const count = this.bytes.readUInt16BE(header + 3);
    const start = (page - 1) * this.pageBytes;
    return Array.from({ length: count }, (_, index) => start + this.bytes.readUInt16BE(first + 2 * index));
  }

  /** Leaf pages below this page. */
  #leaves(page) {
    const kind = this.bytes[this.#header(page)];
    if (kind === LEAF) return [page];
    if (kind !== INTERIOR) throw new Error(`page ${page} is of kind ${kind}`);
    const below = this.#pointers(page).map((at) => this.bytes.readUInt32BE(at));
    return [...below, this.bytes.readUInt32BE(this.#header(page) + 8)].flatMap((child) => this.#leaves(child));
  }

  #cells(leaf) {
    return this.#pointers(leaf).map((at) => {
      const [length, afterLength] = this.#varint(at);
      const [, afterId] = this.#varint(afterLength);
      return this.#columns(this.#content(afterId, length));
    });
  }

  /** File offsets of a cell's bytes. Bytes that do not fit the leaf are in overflow pages. */
  #content(at, length) {
    const run = (start, count) => Array.from({ length: count }, (_, index) => start + index);
    const most = this.usableBytes - 35;
    if (length <= most) return run(at, length);
    const least = Math.floor(((this.usableBytes - 12) * 32) / 255) - 23;
    const wanted = least + ((length - least) % (this.usableBytes - 4));
    const local = wanted <= most ? wanted : least;
    const offsets = run(at, local);
    let page = this.bytes.readUInt32BE(at + local);
    while (offsets.length < length) {
      const start = (page - 1) * this.pageBytes;
      offsets.push(...run(start + 4, Math.min(this.usableBytes - 4, length - offsets.length)));
      page = this.bytes.readUInt32BE(start);
    }
    return offsets;
  }

  /** The columns of a record: offsets of their bytes. */
  #columns(content) {
    const [headerLength, afterLength] = this.#varint(content[0]);
    const columns = [];
    let at = headerLength;
    for (let type = afterLength; type < content[0] + headerLength; ) {
      const [code, next] = this.#varint(type);
      const length = code >= 12 ? Math.floor((code - 12) / 2) : [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][code];
      columns.push(content.slice(at, at + length));
      at += length;
      type = next;
    }
    return columns;
  }

  /** A variable-length integer, and the offset after it. */
  #varint(at) {
    let value = 0;
    for (let index = 0; index < 9; index++) {
      const byte = this.bytes[at + index];
      if (index === 8) return [value * 256 + byte, at + 9];
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return [value, at + index + 1];
    }
  }
}
