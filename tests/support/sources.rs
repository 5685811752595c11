//! The text files of the tree, for the guards that read it.
//!
//! Names are relative to the root of the workspace. Build output and stores are left out.

use std::path::{Path, PathBuf};

/// A text file of the tree.
pub struct Source {
    /// Its path below the root.
    pub name: String,
    /// What it holds; bytes that are no UTF-8 are replaced.
    pub text: String,
}

impl Source {
    /// Whether users run it: not a test, a bench, or a helper of those.
    pub fn is_product(&self) -> bool {
        let is_test = self.name.ends_with("tests.rs")
            || self.name.contains("/tests/")
            || self.name.starts_with("tests/")
            || self.name.contains("/benches/")
            || self.name.contains("test_support");
        !is_test
    }

    /// All before the inline test module; `mod tests;` only names a file, and ends nothing.
    pub fn product_part(&self) -> &str {
        const MARK: &str = "#[cfg(test)]";
        let opens_module = |at: &usize| {
            let mut below = self.text[at + MARK.len()..].lines().skip(1);
            let item = below.find(|line| !line.starts_with('#'));
            !item.is_some_and(|item| item.ends_with(';'))
        };
        let mut marks = self.text.match_indices(MARK).map(|(at, _)| at);
        let end = marks.find(opens_module).unwrap_or(self.text.len());
        &self.text[..end]
    }
}

/// Every Rust file of the tree.
pub fn rust_files() -> Vec<Source> {
    text_files()
        .into_iter()
        .filter(|source| source.name.ends_with(".rs"))
        .collect()
}

/// Every text file of the tree, by name.
pub fn text_files() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(
        found.len() > 20,
        "found only {} files: wrong root?",
        found.len()
    );
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    const TEXT: &[&str] = &[
        "rs", "md", "toml", "tsv", "txt", "yml", "sh", "js", "css", "html",
    ];
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let part =
            |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().to_string();
        let (name, extension) = (part(path.file_name()), part(path.extension()));
        if path.is_dir() {
            if !matches!(name.as_str(), ".git" | "target" | "store") {
                collect(&path, found);
            }
        } else if TEXT.contains(&extension.as_str())
            || folder.file_name().is_some_and(|folder| folder == ".ci")
        {
            let bytes = std::fs::read(&path).expect("readable");
            let below = path.strip_prefix(root()).expect("below the root");
            found.push(Source {
                name: below.display().to_string(),
                text: String::from_utf8_lossy(&bytes).to_string(),
            });
        }
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace root")
        .to_path_buf()
}
