// Simulates a power loss: undoes the unsynced changes of a process that ran on the store of store.c.
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, readdirSync, writeSync } from "node:fs";
import { readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const [WRITE, CUT, CREATE, FOLDER, UNLINK, RENAME, SYNC, LOST] = [1, 2, 3, 4, 5, 6, 7, 8];
const HEADER_BYTES = 32;
/** A disk writes a sector as a whole. */
const SECTOR_BYTES = 512;

/** No unsynced change survives. */
export const loseAll = () => 0;
/** Every change survives: only the process ended. */
export const loseNothing = () => 1;
/** Some unsynced changes survive, some are torn, and some are gone. `random` returns numbers from 0 to 1. */
export const loseSome = (random) => () => Math.min(1, Math.max(0, 2 * random() - 0.5));

/**
 * Undoes the unsynced changes in the folder `root` by the log in `side`, and empties `side`. `survives`
 * returns the share of a change that the disk keeps, from 0 to 1. File systems keep changes of names in
 * order: all changes of names after the first incomplete one are lost. Returns how many changes were at
 * risk.
 */
export function losePower(root, side, survives = loseAll) {
  const records = readLog(join(side, "log"));
  const files = openAll([root, side]);
  const isData = ({ kind }) => kind === WRITE || kind === CUT;
  const isName = ({ kind }) => kind >= CREATE && kind <= RENAME;
  try {
    const atRisk = {
      writes: rewindBytes(records.filter(isData), files, survives),
      names: rewindNames(records.filter(isName), side, survives),
    };
    for (const name of readdirSync(side)) rmSync(join(side, name));
    return atRisk;
  } finally {
    for (const fd of files.values()) closeSync(fd);
  }
}

/**
 * Reads the changes in the log. `fate` is SYNC for a durable change, LOST after a failed sync. A kill may stop the write
 * of the last record between two pages. That record's change had not begun, or its sync had not returned.
 */
function readLog(path) {
  const log = readFileSync(path);
  const records = [];
  const settle = (inode, end, fate) => {
    for (const record of records) {
      if (record.inode === inode && record.at < end && record.fate === undefined) record.fate = fate;
    }
  };
  for (let at = 0; at + HEADER_BYTES <= log.length; ) {
    const [kind, length] = [log.readUInt32LE(at), log.readUInt32LE(at + 4)];
    const [inode, offset, size] = [8, 16, 24].map((field) => Number(log.readBigUInt64LE(at + field)));
    const bytes = log.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    if (bytes.length < length) break;
    if (kind === SYNC || kind === LOST) settle(inode, offset, kind);
    else records.push({ kind, inode, offset, size, bytes, at, fate: undefined });
    at += HEADER_BYTES + length;
  }
  return records;
}

/** Opens all files below the folders, by inode. */
function openAll(folders) {
  const files = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.path, entry.name);
      const { ino } = statSync(path);
      if (!files.has(ino)) files.set(ino, openSync(path, "r+"));
    }
  }
  return files;
}

/** Undoes writes back to the first one at risk, and repeats those that survive. */
function rewindBytes(records, files, survives) {
  const atRisk = records.filter(({ fate }) => fate !== SYNC);
  const firsts = new Map();
  for (const { inode, at } of atRisk) firsts.set(inode, Math.min(at, firsts.get(inode) ?? at));
  const affected = records.filter(({ inode, at }) => at >= firsts.get(inode) && files.has(inode));
  for (const record of affected.toReversed()) undo(record, files.get(record.inode));
  for (const record of affected) {
    const share = record.fate === SYNC ? 1 : record.fate === LOST ? 0 : survives(record);
    redo(record, files.get(record.inode), share);
  }
  return atRisk.length;
}

/** Restores the old bytes, and keeps the new ones for `redo`. */
function undo(record, fd) {
  const { kind, offset, size, bytes } = record;
  const now = fstatSync(fd).size;
  if (kind === WRITE) {
    // Later changes are undone already, so all bytes past the old end belong to this write.
    const length = now > size ? now - offset : bytes.length;
    record.written = Buffer.alloc(Math.max(0, length));
    readSync(fd, record.written, 0, record.written.length, offset);
  }
  ftruncateSync(fd, size);
  if (bytes.length > 0) writeSync(fd, bytes, 0, bytes.length, offset);
}

/** Repeats a change, or this share of its sectors. */
function redo({ kind, offset, written }, fd, share) {
  if (kind === CUT) {
    if (share === 1) ftruncateSync(fd, offset);
    return;
  }
  const sectors = Math.ceil(written.length / SECTOR_BYTES);
  const length = Math.min(written.length, Math.floor(share * sectors) * SECTOR_BYTES);
  if (length > 0) writeSync(fd, written, 0, length, offset);
}

/** Undoes changes of names back to the first one that does not survive. */
function rewindNames(records, side, survives) {
  const atRisk = records.filter(({ fate }) => fate !== SYNC);
  const gone = atRisk.findIndex((record) => survives(record) < 1);
  for (const record of gone < 0 ? [] : atRisk.slice(gone).reverse()) undoName(record, side);
  return atRisk.length;
}

/** Undoes one change of a name; it may not have happened if the process was killed before it. */
function undoName({ kind, offset, bytes }, side) {
  const [path, newPath] = bytes.toString().split("\0");
  const kept = offset > 0 && join(side, `${offset}`);
  if (kind === CREATE) rmSync(path, { force: true });
  if (kind === FOLDER) rmSync(path, { recursive: true, force: true });
  if (kind === UNLINK && kept) renameSync(kept, path);
  if (kind === RENAME && !existsSync(path)) {
    renameSync(newPath, path);
    if (kept) renameSync(kept, newPath);
  }
}
