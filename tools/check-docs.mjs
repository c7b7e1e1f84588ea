// Checks documents: every relative link in a Markdown file leads to an existing file, every anchor to a heading, every path of the source
// tree in backticks exists, docs/SUMMARY.md lists every page of the book, and the two pages that everybody reads stay short. Exits 1 and names each problem.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;
const EXTERNAL = /^[a-z]+:/;
/** A path of the source tree, as documents quote it. */
const PATH = /`((?:batcher|bin|contracts|crates|docs|executor|fraud-proof|migrations|sequencer|settlement|testing|tools)\/[\w./-]+)`/g;
const BYTES_MAX = { "README.md": 8_192, "ARCHITECTURE.md": 15_360 };

const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { cwd: ROOT, encoding: "utf8" });
const files = listed.split("\n").filter((path) => path && existsSync(join(ROOT, path)));

const withoutCode = (text) => text.replace(/^```[^]*?^```/gm, "").replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, " "));

/** Anchors of a page's headings, as GitHub and mdBook make them. */
function anchorsOf(path) {
  const headings = withoutCode(readFileSync(path, "utf8")).matchAll(/^#+ (.*)$/gm);
  const slug = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").trim().replaceAll(" ", "-");
  return new Set([...headings].map(([, heading]) => slug(heading)));
}

function problemOf(file, target) {
  const [path, anchor] = target.split("#");
  const found = path ? resolve(ROOT, dirname(file), path) : join(ROOT, file);
  if (!existsSync(found)) return "no such file";
  if (!anchor || statSync(found).isDirectory() || !found.endsWith(".md")) return undefined;
  return anchorsOf(found).has(anchor) ? undefined : `no heading #${anchor} in ${relative(ROOT, found)}`;
}

const problems = [];
for (const file of files) {
  for (const [, target] of withoutCode(readFileSync(join(ROOT, file), "utf8")).matchAll(LINK)) {
    const problem = EXTERNAL.test(target) ? undefined : problemOf(file, target);
    if (problem) problems.push(`${file}: ${target}: ${problem}`);
  }
}
for (const file of files.filter((file) => !file.startsWith("CHANGELOG"))) {
  for (const [, path] of readFileSync(join(ROOT, file), "utf8").matchAll(PATH)) {
    if (!existsSync(join(ROOT, path))) problems.push(`${file}: ${path} does not exist`);
  }
}
const summary = readFileSync(join(ROOT, "docs/SUMMARY.md"), "utf8");
for (const page of files.filter((file) => file.startsWith("docs/") && file !== "docs/SUMMARY.md")) {
  if (!summary.includes(`(${page.slice("docs/".length)})`)) problems.push(`${page}: docs/SUMMARY.md does not list it`);
}
for (const [file, max] of Object.entries(BYTES_MAX)) {
  const { size } = statSync(join(ROOT, file));
  if (size > max) problems.push(`${file}: ${size} bytes, at most ${max}`);
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`documents: ${files.length} Markdown files, no problem`);
