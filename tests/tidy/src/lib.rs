//! Rules of the repository, as tests: what a reviewer would otherwise have to look for each time.
//!
//! The tests in `tests/` state the rules; this library reads the tree for them. It deliberately parses no
//! Rust: the tree is formatted by rustfmt, so indentation tells where an item ends.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the repository.
pub struct Source {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
        .to_owned()
}

/// All files whose names end in `.extension`, outside build output and hidden folders, by path.
pub fn files(extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        if path.extension().is_some_and(|e| e == extension) {
            let relative = path.strip_prefix(root()).expect("found below the root");
            let text = fs::read_to_string(path).unwrap_or_default();
            found.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "target" || name == "corpus" {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

impl Source {
    /// Whether this is test code as a whole.
    pub fn is_test(&self) -> bool {
        let path = &self.path;
        // The processor is a service, though its network is simulated.
        (path.starts_with("tests/") && !path.starts_with("tests/processor/src/"))
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs")
    }

    /// The part of a source file before its inline test module.
    pub fn production(&self) -> &str {
        if self.is_test() {
            return "";
        }
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// The test code of this file: all of it, or its inline test module.
    pub fn tests(&self) -> &str {
        if self.is_test() {
            return &self.text;
        }
        self.text.split_once("#[cfg(test)]\nmod tests {").map_or("", |(_, tests)| tests)
    }
}

/// The names of a file's tests: functions with the attribute of a test, or with parameters which proptest draws.
pub fn tests(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.tests().lines().map(str::trim_start).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, parameters)) =
            line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split_once('('))
        else {
            continue;
        };
        let above = lines.iter().take(at).rev();
        let mut attributes = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let marked = attributes.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        let drawn = parameters.contains(" in ")
            || (parameters.is_empty() && lines.get(at + 1).is_some_and(|next| next.contains(" in ")));
        if marked || drawn {
            found.push(name.to_owned());
        }
    }
    found
}

/// A function and how many lines it takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Function {
    /// `path::name`, with the line's order among equal names.
    pub id: String,
    /// From its first line to its closing brace.
    pub lines: usize,
}

/// The functions of a file, by indentation.
pub fn functions(source: &Source) -> Vec<Function> {
    let mut found: Vec<Function> = Vec::new();
    let mut open: Vec<(usize, usize, String)> = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some(name) = function_name(line)
            && !line.trim_end().ends_with(';')
            && !line.trim_end().ends_with('}')
        {
            open.push((indent, number, name));
        }
        let ends = matches!(line.trim_start(), "}" | "};" | ");");
        if ends && open.last().is_some_and(|(start_indent, ..)| *start_indent == indent) {
            let (_, start, name) = open.pop().expect("just seen");
            let same = found
                .iter()
                .filter(|f| f.id.split('#').next() == Some(&format!("{}::{name}", source.path)))
                .count();
            let suffix = if same == 0 { String::new() } else { format!("#{same}") };
            found
                .push(Function { id: format!("{}::{name}{suffix}", source.path), lines: number - start + 1 });
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "pub" | "const" | "async" | "unsafe" | "default" => {}
            word if word.starts_with("pub(") => {}
            "fn" => {
                let name = words.next()?;
                return Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_their_helpers() {
        let attribute = concat!("#[", "test]");
        let text = format!(
            "fn helper() {{}}\n\n/// Why.\n{attribute}\n// Here too.\nfn a_test() {{}}\n\n\
             #[tokio::{}\nasync fn waits() {{}}\n\nproptest! {{\n    fn drawn(x in 0..9) {{}}\n    \
             fn long(\n        x in 0..9,\n    ) {{}}\n}}\n\nfn other(x: u8) {{}}\n",
            "test]"
        );
        let source = Source { path: "a/tests/b.rs".to_owned(), text };
        assert_eq!(tests(&source), ["a_test", "waits", "drawn", "long"]);
    }
}
