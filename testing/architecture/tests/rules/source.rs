//! Reads Rust sources as text and finds which modules name which.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The path of a module inside its crate; empty for the root.
type ModulePath = Vec<String>;

/// Longest chain of re-exports.
const EXPORTS_MAX: usize = 8;

/// The repository.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All Rust files below a directory, in order of their names.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The modules of a crate, each with its tokens.
#[derive(Debug)]
pub(crate) struct Crate {
    modules: BTreeMap<ModulePath, Vec<String>>,
}

/// A path that a module names.
#[derive(Debug)]
struct NamedPath {
    segments: Vec<String>,
    is_export: bool,
}

impl Crate {
    /// Reads a crate's `src`.
    pub(crate) fn read(directory: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for file in rust_files(directory) {
            let path = module_path(file.strip_prefix(directory).expect("it is below"));
            if path.iter().any(|name| name == "tests") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("it is text");
            modules.insert(path, tokens(&without_tests(&text)));
        }
        Self { modules }
    }

    /// The modules that each module names, with re-exports resolved. Edges between a module and its
    /// descendants are omitted.
    pub(crate) fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let named: BTreeMap<_, _> =
            self.modules.keys().map(|module| (module.clone(), self.named_by(module))).collect();
        let exports: BTreeMap<_, _> = named
            .iter()
            .flat_map(|(module, paths)| {
                paths.iter().filter(|path| path.is_export).filter_map(move |path| {
                    let name = path.segments.last()?.clone();
                    Some(((module.clone(), name), path.segments.clone()))
                })
            })
            .collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, paths) in &named {
            let to = edges.entry(shown(module)).or_default();
            for path in paths.iter().filter(|path| !path.is_export) {
                let target = self.defining(&path.segments, &exports);
                if !target.starts_with(module) && !module.starts_with(&target) {
                    to.insert(shown(&target));
                }
            }
        }
        edges
    }

    /// The module that defines what a path names.
    fn defining(
        &self,
        path: &[String],
        exports: &BTreeMap<(ModulePath, String), Vec<String>>,
    ) -> ModulePath {
        let mut path = path.to_vec();
        for _ in 0..EXPORTS_MAX {
            let length = (0..=path.len())
                .rev()
                .find(|length| self.modules.contains_key(&path[..*length]))
                .unwrap_or(0);
            let module = path[..length].to_vec();
            let name = path.get(length).cloned().unwrap_or_default();
            match exports.get(&(module.clone(), name)) {
                Some(exported) if exported[..] != path[..=length] => {
                    path = [exported, &path[length + 1..]].concat();
                }
                _ => return module,
            }
        }
        panic!("{path:?} is re-exported in a cycle");
    }

    fn named_by(&self, module: &ModulePath) -> Vec<NamedPath> {
        let tokens = &self.modules[module];
        let mut named = Vec::new();
        let mut is_export = false;
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "use" => is_export = at > 0 && is_public(&tokens[..at]),
                ";" => is_export = false,
                _ => {}
            }
            let is_first = at == 0 || tokens[at - 1] != "::";
            let is_path = tokens.get(at + 1).is_some_and(|next| next == "::");
            if let Some(mut base) = self.base(module, &tokens[at]).filter(|_| is_first && is_path) {
                at += 2;
                while tokens[at] == "super" && tokens.get(at + 1).is_some_and(|next| next == "::") {
                    base.pop();
                    at += 2;
                }
                let mut paths = Vec::new();
                read_tree(tokens, &mut at, &base, &mut paths);
                named.extend(paths.into_iter().map(|segments| NamedPath { segments, is_export }));
            } else {
                at += 1;
            }
        }
        named
    }

    /// The module that the first word of a path names.
    fn base(&self, module: &ModulePath, word: &str) -> Option<ModulePath> {
        match word {
            "crate" => Some(Vec::new()),
            "self" => Some(module.clone()),
            "super" => Some(module[..module.len().saturating_sub(1)].to_vec()),
            _ => {
                let child = [&module[..], &[word.to_owned()]].concat();
                self.modules.contains_key(&child).then_some(child)
            }
        }
    }
}

/// Reads the tokens after `base ::`: a path, or several in braces.
fn read_tree(tokens: &[String], at: &mut usize, base: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = base.to_vec();
    loop {
        match tokens.get(*at).map(String::as_str) {
            Some("{") => {
                *at += 1;
                while !matches!(tokens.get(*at).map(String::as_str), Some("}") | None) {
                    if tokens[*at] == "," {
                        *at += 1;
                        continue;
                    }
                    let before = *at;
                    read_tree(tokens, at, &path, paths);
                    // Skip tokens that are not part of a path, such as `as name`.
                    *at = (*at).max(before + 1);
                }
                *at += 1;
                return;
            }
            Some("self") => *at += 1,
            Some(word) if is_word(word) && word != "as" => {
                path.push(word.to_owned());
                *at += 1;
            }
            _ => {}
        }
        if tokens.get(*at).is_some_and(|next| next == "::") {
            *at += 1;
            continue;
        }
        paths.push(path);
        return;
    }
}

/// Whether the item whose keyword follows has any `pub` visibility.
fn is_public(before: &[String]) -> bool {
    match before.last().map(String::as_str) {
        Some("pub") => true,
        Some(")") => before.iter().rev().take(8).any(|token| token == "pub"),
        _ => false,
    }
}

fn module_path(file: &Path) -> ModulePath {
    let mut path: ModulePath =
        file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|name| ["lib", "main", "mod"].contains(&name.as_str())) {
        path.pop();
    }
    path
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "crate".to_owned() } else { module.join("::") }
}

/// The text up to its tests, which come last.
fn without_tests(text: &str) -> String {
    let end =
        ["#[cfg(test)]\nmod tests {", "#[cfg(all(test"].iter().filter_map(|mark| text.find(mark));
    text[..end.min().unwrap_or(text.len())].to_owned()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

/// Words and punctuation, without comments and literals.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            string_length(rest)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if first == '\'' {
            character_length(rest)
        } else if is_word(&rest[..first.len_utf8()]) {
            let length =
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal, or the quote of a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(text.len(), |end| {
            // `'\''` ends one quote later.
            if end == 0 { 4 } else { end + 3 }
        }),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}
