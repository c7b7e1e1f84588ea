// What a power failure leaves of the files of a process that ran on the store of store.c and is gone.
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, readdirSync, writeSync } from "node:fs";
import { readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const [WRITE, CUT, CREATE, FOLDER, UNLINK, RENAME, SYNC, LOST] = [1, 2, 3, 4, 5, 6, 7, 8];
const HEADER_BYTES = 32;
/** What a disk writes as a whole. */
const SECTOR_BYTES = 512;

/** Everything that was not synced is gone. */
export const loseAll = () => 0;
/** Everything that was written is there: only the process has ended. */
export const loseNothing = () => 1;
/** Some of what was not synced is there, some is torn, and some is gone: `random` gives numbers from 0 to 1. */
export const loseSome = (random) => () => Math.min(1, Math.max(0, 2 * random() - 0.5));

/**
 * Takes back what was not synced in the folder `root`, as the log in `side` has it, and empties `side`. `survives` says
 * of each change how much of it the disk has nevertheless: from 0, nothing, to 1, all of it; of names, which file
 * systems keep in order, all are gone after the first that is not there as a whole. Returns how many changes were at risk.
 */
export function losePower(root, side, survives = loseAll) {
  const records = readLog(join(side, "log"));
  const files = openAll([root, side]);
  const isData = ({ kind }) => kind === WRITE || kind === CUT;
  const isName = ({ kind }) => kind >= CREATE && kind <= RENAME;
  try {
    const atRisk = {
      writes: takeBackBytes(records.filter(isData), files, survives),
      names: takeBackNames(records.filter(isName), side, survives),
    };
    for (const name of readdirSync(side)) rmSync(join(side, name));
    return atRisk;
  } finally {
    for (const fd of files.values()) closeSync(fd);
  }
}

/** The log's records of changes, each with whether it is durable. */
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
    if (bytes.length < length) throw new Error(`the log ends within a record at ${at}`);
    if (kind === SYNC || kind === LOST) settle(inode, offset, kind);
    else records.push({ kind, inode, offset, size, bytes, at, fate: undefined });
    at += HEADER_BYTES + length;
  }
  return records;
}

/** All files below the folders, open, by inode. */
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

/** Undoes writes from the last to the first that is at risk, and does again those of them that are there after all. */
function takeBackBytes(records, files, survives) {
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

/** Puts back what was there, and remembers what was written. */
function undo(record, fd) {
  const { kind, offset, size, bytes } = record;
  const now = fstatSync(fd).size;
  if (kind === WRITE) {
    // What a write put past the old end is all that is there now: later changes are undone already.
    const length = now > size ? now - offset : bytes.length;
    record.written = Buffer.alloc(Math.max(0, length));
    readSync(fd, record.written, 0, record.written.length, offset);
  }
  ftruncateSync(fd, size);
  if (bytes.length > 0) writeSync(fd, bytes, 0, bytes.length, offset);
}

/** Does a change again: all of it, or as many sectors. */
function redo({ kind, offset, written }, fd, share) {
  if (kind === CUT) {
    if (share === 1) ftruncateSync(fd, offset);
    return;
  }
  const sectors = Math.ceil(written.length / SECTOR_BYTES);
  const length = Math.min(written.length, Math.floor(share * sectors) * SECTOR_BYTES);
  if (length > 0) writeSync(fd, written, 0, length, offset);
}

/** Undoes changes of names from the last to the first that is not there as a whole. */
function takeBackNames(records, side, survives) {
  const atRisk = records.filter(({ fate }) => fate !== SYNC);
  const gone = atRisk.findIndex((record) => survives(record) < 1);
  for (const record of gone < 0 ? [] : atRisk.slice(gone).reverse()) undoName(record, side);
  return atRisk.length;
}

/** The process may have ended just before the change. */
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
