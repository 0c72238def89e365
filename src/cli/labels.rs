//! Photos with the class that each shows.

use super::photos::{entries, is_photo};
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const HEADER: &str = "file,label";

/// A photo and the index of its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    pub path: PathBuf,
    pub class: usize,
}

/// Finds classes by WordNet id, plain name or index.
pub(super) struct Classes {
    count: usize,
    by_name: HashMap<String, Option<usize>>,
}

impl Classes {
    /// Of a model with `count` outputs; `ids` and `names` may be empty. A name that two classes share finds none.
    pub fn new(count: usize, ids: &[String], names: &[String]) -> Self {
        let mut by_name = HashMap::new();
        for (index, name) in ids.iter().enumerate().chain(names.iter().enumerate()) {
            by_name.entry(name.to_lowercase()).and_modify(|found| *found = None).or_insert(Some(index));
        }
        Self { count, by_name }
    }

    /// The index of the class called `label`.
    ///
    /// # Errors
    /// `bad-option` if there is none, or several.
    pub fn index(&self, label: &str) -> Result<usize> {
        match self.by_name.get(&label.to_lowercase()) {
            Some(Some(index)) => return Ok(*index),
            Some(None) => return Err(Error::bad_option(format!("several classes are called {label:?}; give the id"))),
            None => (),
        }
        label.parse().ok().filter(|&index| index < self.count).ok_or_else(|| {
            let last = self.count - 1;
            Error::bad_option(format!("{label:?} is no WordNet id or name of a class, nor an index from 0 to {last}"))
        })
    }
}

/// The photos that `text` lists, relative to `folder`: a line each, the file and its label parted by a tab (what follows
/// a second tab is ignored) or by the first comma, the label in quotes or not. A first line `file,label` is skipped.
///
/// # Errors
/// `bad-option` that names the line, or if there is none.
pub(super) fn listed(folder: &Path, text: &str, classes: &Classes) -> Result<Vec<Labelled>> {
    let mut found = Vec::new();
    for (number, line) in text.lines().map(str::trim_end).enumerate() {
        if line.is_empty() || (number == 0 && line == HEADER) {
            continue;
        }
        let in_line = |message: String| Error::bad_option(format!("line {}: {message}", number + 1));
        let pair = match line.split_once('\t') {
            Some((file, rest)) => Some((file, rest.split('\t').next().unwrap_or_default())),
            None => line.split_once(','),
        };
        let (file, label) =
            pair.ok_or_else(|| in_line(format!("{line:?} is neither FILE<tab>LABEL nor FILE,LABEL")))?;
        let class = classes.index(label.trim().trim_matches('"')).map_err(|e| in_line(e.message))?;
        found.push(Labelled { path: folder.join(file.trim()), class });
    }
    if found.is_empty() { Err(Error::bad_option("it lists no photos")) } else { Ok(found) }
}

/// The photos of `folder`'s subfolders, each named like a class, in the order of their paths.
///
/// # Errors
/// `bad-option` if a folder cannot be read, names no class, or if there are no photos.
pub(super) fn in_class_folders(folder: &Path, classes: &Classes) -> Result<Vec<Labelled>> {
    let mut found = Vec::new();
    for class_folder in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = class_folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let class = classes
            .index(&name)
            .map_err(|e| Error::bad_option(format!("{}: {}", class_folder.display(), e.message)))?;
        let photos = entries(&class_folder)?.into_iter().filter(|path| is_photo(path));
        found.extend(photos.map(|path| Labelled { path, class }));
    }
    if found.is_empty() {
        let folder = folder.display();
        return Err(Error::bad_option(format!(
            "{folder} has no subfolders with photos, one per class; or give --labels"
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        let strings = |names: [&str; 3]| names.map(String::from);
        Classes::new(3, &strings(["n01", "n02", "n03"]), &strings(["Alp", "bison, ox", "alp"]))
    }

    #[test]
    fn lists_are_parted_by_tabs_or_commas() {
        let text = "file,label\na.jpg\tn03\t0\t0\t62\t62\r\n\nb.jpg,\"bison, ox\"\nc.jpg,1\n";
        let found = listed(Path::new("photos"), text, &classes()).unwrap();
        let found: Vec<_> = found.iter().map(|p| (p.path.to_str().unwrap(), p.class)).collect();
        assert_eq!(found, [("photos/a.jpg", 2), ("photos/b.jpg", 1), ("photos/c.jpg", 1)]);
    }

    #[test]
    fn faults_name_the_line() {
        for (text, why) in [
            ("a.jpg,n01\nb.jpg", "line 2: \"b.jpg\" is neither"),
            ("a.jpg,n09", "line 1: \"n09\" is no WordNet id"),
            ("a.jpg,3", "index from 0 to 2"),
            ("a.jpg,alp", "several classes"),
            ("", "no photos"),
        ] {
            let message = listed(Path::new("."), text, &classes()).unwrap_err().message;
            assert!(message.contains(why), "{text:?}: {message}");
        }
    }
}
