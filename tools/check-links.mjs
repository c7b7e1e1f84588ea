// Checks that every relative link in the repository's Markdown files leads to a file that is there, and every anchor to a heading.
// Exits 1 and names each broken link.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;
const EXTERNAL = /^[a-z]+:/;

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

let broken = 0;
for (const file of files) {
  for (const [, target] of withoutCode(readFileSync(join(ROOT, file), "utf8")).matchAll(LINK)) {
    const problem = EXTERNAL.test(target) ? undefined : problemOf(file, target);
    if (!problem) continue;
    console.error(`${file}: ${target}: ${problem}`);
    broken += 1;
  }
}
if (broken > 0) process.exit(1);
console.log(`links: ${files.length} Markdown files, no broken link`);
