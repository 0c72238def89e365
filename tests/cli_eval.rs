//! `sklens eval`: accuracy on photos of known classes.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery");

fn eval(arguments: &[&str]) -> Output {
    let command = ["eval", "--backend", "cpu"];
    Command::new(env!("CARGO_BIN_EXE_sklens")).args(command).args(arguments).output().expect("sklens runs")
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sklens-eval-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn photo(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(GALLERY).join(name)).unwrap()
}

#[test]
fn counts_hits_by_name_id_and_index() {
    let folder = Folder::new("list");
    // A photo that is recognised with certainty, thrice: twice labelled rightly, once as class 0, an Egyptian cat.
    let labels =
        folder.write("labels.csv", b"file,label\nespresso.jpg,espresso\nespresso.jpg,n07920052\nespresso.jpg,0\n");
    let output = eval(&[GALLERY, "--labels", &labels, "--json"]);
    assert!(output.status.success());
    let found = report(&output);
    assert_eq!((&found["images"], &found["size"]), (&3.into(), &serde_json::json!([112, 112])));
    assert!((found["top1"].as_f64().unwrap() - 200.0 / 3.0).abs() < 1e-9, "{found}");
    assert!(found["top5"].as_f64().unwrap() >= found["top1"].as_f64().unwrap());
}

#[test]
fn agrees_with_analyze_photo_by_photo() {
    let names = ["alp", "bison", "espresso", "koala", "viaduct"];
    for name in names {
        let file = format!("{name}.jpg");
        let folder = Folder::new(name);
        let labels = folder.write("labels.txt", format!("{file}\t{name}\t0\t0\t63\t63\n").as_bytes());
        let found = report(&eval(&[GALLERY, "--labels", &labels, "--size", "96", "--scale", "1.5", "--json"]));
        let path = format!("{GALLERY}/{file}");
        let analyzed = Command::new(env!("CARGO_BIN_EXE_sklens"))
            .args(["analyze", &path, "--size", "96", "--scales", "1.5", "--backend", "cpu", "--json"])
            .output()
            .unwrap();
        let line: Value = serde_json::from_slice(&analyzed.stdout).unwrap();
        let hit = |n: usize| line["top"].as_array().unwrap()[..n].iter().any(|p| p["label"] == name);
        assert_eq!(found["top1"], if hit(1) { 100.0 } else { 0.0 }, "{name}");
        assert_eq!(found["top5"], if hit(5) { 100.0 } else { 0.0 }, "{name}");
    }
}

#[test]
fn subfolders_are_classes_and_a_limit_spreads_over_them() {
    let folder = Folder::new("classes");
    for name in ["bison/a.jpg", "bison/b.JPG", "espresso/a.jpg", "espresso/b.jpg"] {
        folder.write(name, &photo(&format!("{}.jpg", name.split('/').next().unwrap())));
    }
    folder.write("bison/notes.txt", b"not a photo");
    assert_eq!(report(&eval(&[folder.path(), "--json"]))["images"], 4);
    // Were both of the first class, the second could be broken unseen.
    folder.write("espresso/a.jpg", b"broken");
    let output = eval(&[folder.path(), "--limit", "2", "--json"]);
    let found = report(&output);
    assert_eq!((output.status.code(), &found["images"]), (Some(1), &1.into()));
    let unreadable = found["unreadable"].as_array().unwrap();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0]["photo"].as_str().unwrap().ends_with("espresso/a.jpg"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("espresso/a.jpg"));
}

#[test]
fn nothing_readable_gives_no_accuracy() {
    let folder = Folder::new("none");
    let labels = folder.write("labels.csv", b"nowhere.jpg,bison\n");
    let output = eval(&[folder.path(), "--labels", &labels, "--json"]);
    let found = report(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(found["images"] == 0 && found["top1"].is_null() && found["unreadable"].as_array().unwrap().len() == 1);
}

#[test]
fn wrong_calls_exit_with_2_and_say_why() {
    let folder = Folder::new("wrong");
    let labels = folder.write("labels.csv", b"bison.jpg,unicorn\n");
    for (arguments, why) in [
        (&[GALLERY, "--labels", labels.as_str()][..], "labels.csv: line 1: \"unicorn\""),
        (&[GALLERY, "--labels", "nowhere.csv"], "nowhere.csv"),
        (&[GALLERY], "--labels"),
        (&[GALLERY, "--limit", "0"], "limit"),
        (&[GALLERY, "--scale", "9"], "9"),
        (&["nowhere"], "nowhere"),
    ] {
        let output = eval(arguments);
        let error = String::from_utf8_lossy(&output.stderr).to_string();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(why), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}
