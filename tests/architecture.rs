//! ARCHITECTURE.md's diagram against the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What everything may use, and what stands at the ends.
const NOT_SHOWN: [&str; 4] = ["Error", "Result", "ErrorCode", "error"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// `from --> to` for every module of the crate that code outside tests refers to by `crate::`.
fn arrows() -> BTreeSet<String> {
    let src = Path::new(ROOT).join("src");
    let mut arrows = BTreeSet::new();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
        let module = relative.split(['/', '.']).next().expect("a name").to_string();
        if ["lib", "main", "error"].contains(&module.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("\nmod tests {").next().expect("a first part");
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for rest in line.split("crate::").skip(1) {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let shown = !name.is_empty() && name != module && !NOT_SHOWN.contains(&name.as_str());
                if shown {
                    arrows.insert(format!("  {module} --> {name}"));
                }
            }
        }
    }
    arrows
}

#[test]
fn the_diagram_shows_what_the_code_uses() {
    let page = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let drawn: BTreeSet<String> = page.lines().filter(|line| line.contains("-->")).map(str::to_string).collect();
    let used = arrows();
    let lines = |set: BTreeSet<&String>| set.into_iter().cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(lines(used.difference(&drawn).collect()), "", "the code has arrows that the diagram lacks");
    assert_eq!(lines(drawn.difference(&used).collect()), "", "the diagram has arrows that the code lacks");
}

#[test]
fn every_folder_of_the_table_exists() {
    let page = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        for name in row.split('|').nth(1).expect("a cell").split('`').skip(1).step_by(2) {
            let name = name.replace("src/session", "src/session.rs");
            assert!(Path::new(ROOT).join(&name).exists(), "{name}");
        }
    }
}

#[test]
fn only_the_gpu_folder_names_wgpu() {
    for path in
        sources(&Path::new(ROOT).join("src")).iter().filter(|path| !path.components().any(|c| c.as_os_str() == "gpu"))
    {
        let text = fs::read_to_string(path).expect("a source");
        assert!(!text.contains("wgpu::"), "{}", path.display());
    }
}

#[test]
fn every_unsafe_block_is_listed_with_its_proof() {
    let root = Path::new(ROOT);
    let mut found = Vec::new();
    for path in sources(&root.join("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        found.extend(code.filter(|line| line.split_whitespace().any(|word| word == "unsafe")).map(|_| name.clone()));
    }
    let page = fs::read_to_string(root.join("docs/threat-model.md")).expect("the threat model");
    let list = page.split("`unsafe` in the crate").nth(1).expect("the list");
    let listed: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_fault_names_a_test_that_there_is() {
    let root = Path::new(ROOT);
    let page = fs::read_to_string(root.join("docs/reliability.md")).expect("docs/reliability.md");
    let section = page.split("## Faults and their tests").nth(1).expect("the faults");
    let section = section.split("\n## ").next().expect("their table");
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let mut file = None;
        let mut tests = 0;
        // What stands between backticks is a file, or the name of a test in the file before.
        for name in row.split('|').nth(3).expect("a third cell").split('`').skip(1).step_by(2) {
            if name.contains('/') {
                file = Some(fs::read_to_string(root.join(name)).unwrap_or_else(|e| panic!("{name}: {e}")));
            } else {
                tests += 1;
                assert!(file.as_deref().expect("a file first").contains(name), "{row}: no test {name:?}");
            }
        }
        assert!(tests > 0, "{row}");
    }
}
