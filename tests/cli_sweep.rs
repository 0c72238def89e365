//! `sklens sweep` and `sklens merge`.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sweep.md");
const SKLENS: &str = env!("CARGO_BIN_EXE_sklens");
/// Relative to the folder that the tests run in.
const OPTIONS: [&str; 4] = ["sweep", "photos", "--backend", "cpu"];

/// A folder that is removed with it, to run the tool in.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sklens-sweep-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With `photos`: two classes, a photo outside them, one in a folder within a class, and a broken one.
    fn with_photos(name: &str) -> Self {
        let folder = Self::new(name);
        for (path, photo) in [
            ("cats/egyptian.jpg", "egyptian-cat.jpg"),
            ("cats/big/panda.JPG", "red-panda.jpg"),
            ("dogs/shepherd.jpg", "german-shepherd.jpg"),
            ("fig.jpg", "fig.jpg"),
        ] {
            folder.write(&format!("photos/{path}"), &fs::read(Path::new(GALLERY).join(photo)).unwrap());
        }
        folder.write("photos/dogs/broken.jpg", b"not a photo");
        folder.write("photos/dogs/notes.txt", b"not even called one");
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(SKLENS).current_dir(&self.0).args(arguments).output().expect("sklens runs")
    }

    fn sweep(&self, arguments: &[&str]) -> Output {
        self.run(&[&OPTIONS, arguments].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into()
}

/// The fenced blocks of the documentation that are marked as shell scripts.
fn documented_scripts() -> Vec<String> {
    let page = fs::read_to_string(PAGE).unwrap();
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

#[test]
fn the_documented_array_of_two_jobs_writes_what_one_job_writes() {
    let folder = Folder::with_photos("shards");
    assert_eq!(folder.sweep(&["--out", "whole.parquet"]).status.code(), Some(1));
    let scripts = documented_scripts();
    let [job, merge] = scripts.as_slice() else { panic!("{scripts:?}") };
    let path = std::env::join_paths(
        [Path::new(SKLENS).parent().unwrap().to_path_buf()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let shell = |script: &str, task: &str| {
        let output = Command::new("sh")
            .args(["-c", script])
            .current_dir(&folder.0)
            .env("PATH", &path)
            .env("SLURM_ARRAY_TASK_ID", task)
            .env("SLURM_ARRAY_TASK_COUNT", "2")
            .output()
            .expect("a shell");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", errors(&output));
    };
    // The second first: the order must not matter.
    shell(job, "2");
    shell(job, "1");
    assert!(folder.read("stats-1.parquet") != folder.read("stats-2.parquet"));
    shell(merge, "");
    assert!(folder.read("stats.parquet") == folder.read("whole.parquet"), "merged and unsharded files differ");
    assert!(String::from_utf8(folder.read("summary.csv")).unwrap().contains("\nmeasured,cats,SK_2_1,2,1.5,"));
}

#[test]
fn the_summary_has_the_numbers_of_analyze() {
    let folder = Folder::with_photos("summary");
    let output = folder.sweep(&["--out", "stats.parquet", "--summary", "s.json", "--scales", "2,1"]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let summary = folder.json("s.json");
    let missing = summary["missing"].as_array().unwrap();
    assert_eq!((missing.len(), &missing[0]["image"]), (1, &"dogs/broken.jpg".into()));
    assert!(errors(&output).contains("broken.jpg"));
    assert_eq!((&summary["photos"], &summary["measured"]["photos"]), (&5.into(), &4.into()));
    let classes = summary["measured"]["classes"].as_object().unwrap();
    let counts: Vec<_> =
        classes.iter().map(|(name, class)| (name.as_str(), class["photos"].as_u64().unwrap())).collect();
    assert_eq!(counts, [("cats", 2), ("dogs", 1)]);

    let names = ["photos/cats/egyptian.jpg", "photos/cats/big/panda.JPG"];
    let analyzed = folder.run(&[&["analyze", "--backend", "cpu", "--json", "--scales", "1,2"], &names[..]].concat());
    let text = String::from_utf8(analyzed.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = |photo: usize, zoom: usize, unit: usize| {
        lines[photo * 2 + zoom]["units"][unit]["meanDifference"].as_f64().unwrap()
    };
    for (at, unit) in lines[0]["units"].as_array().unwrap().iter().enumerate() {
        let figures = &classes["cats"]["figures"][unit["name"].as_str().unwrap()];
        for zoom in 0..2 {
            let (a, b) = (found(0, zoom, at), found(1, zoom, at));
            assert!((figures["mean"][zoom].as_f64().unwrap() - (a + b) / 2.0).abs() < 1e-6, "{figures}");
            assert!((figures["deviation"][zoom].as_f64().unwrap() - (a - b).abs() / 2_f64.sqrt()).abs() < 1e-6);
        }
        let rising = (0..2).filter(|&photo| found(photo, 1, at) > found(photo, 0, at)).count();
        assert_eq!(figures["rising"].as_f64().unwrap(), rising as f64 / 2.0);
    }
    let stage = &summary["measured"]["figures"]["stage 2"]["mean"][0];
    let units = summary["measured"]["figures"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("SK_2"));
    let means: Vec<f64> = units.map(|(_, figures)| figures["mean"][0].as_f64().unwrap()).collect();
    assert!((stage.as_f64().unwrap() - means.iter().sum::<f64>() / means.len() as f64).abs() < 1e-9);
}

#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let folder = Folder::new("killed");
    let photo = fs::read(Path::new(GALLERY).join("fig.jpg")).unwrap();
    let other = fs::read(Path::new(GALLERY).join("koala.jpg")).unwrap();
    for n in 0..48 {
        folder.write(&format!("photos/{n:02}.jpg"), if n % 3 == 0 { &photo } else { &other });
    }
    let arguments = ["--scales", "1", "--size", "64"];
    let mut running = Command::new(SKLENS)
        .current_dir(&folder.0)
        .args([&OPTIONS, &arguments[..], &["--out", "killed.parquet"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = folder.0.join("killed.parquet.part");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let began = Instant::now();
    while lines() < 20 {
        assert!(began.elapsed() < Duration::from_secs(300) && running.try_wait().unwrap().is_none(), "never 20 lines");
        std::thread::sleep(Duration::from_millis(2));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(!folder.0.join("killed.parquet").exists());
    // As if the kill had cut a line.
    let text = fs::read(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 10]).unwrap();

    let again = [&arguments[..], &["--out", "killed.parquet"]].concat();
    let output = folder.sweep(&again);
    assert!(output.status.success() && errors(&output).contains("going on after"), "{}", errors(&output));
    assert!(folder.sweep(&[&arguments[..], &["--out", "whole.parquet"]].concat()).status.success());
    assert!(folder.read("killed.parquet") == folder.read("whole.parquet"), "resumed and whole files differ");
    assert!(!journal.exists());
    // Finished, it only tells the figures once more.
    assert!(!errors(&folder.sweep(&again)).contains("photos,"));
}

#[test]
fn the_control_goes_through_few_pixels_and_sharp_leaves_small_photos_out() {
    let folder = Folder::with_photos("control");
    let arguments = [
        "--out",
        "s.parquet",
        "--summary",
        "s.json",
        "--through",
        "16",
        "--sharp",
        "--size",
        "256",
        "--scales",
        "1,2.5",
    ];
    let output = folder.sweep(&arguments);
    let summary = folder.json("s.json");
    let gallery = |name: &str| image_side(&Path::new(GALLERY).join(name));
    let sides = ["egyptian-cat.jpg", "red-panda.jpg", "german-shepherd.jpg", "fig.jpg"].map(gallery);
    let sharp = sides.iter().filter(|&&side| side >= 640).count();
    assert_eq!(summary["measured"]["photos"], sharp, "{sides:?} {}", errors(&output));
    assert_eq!(summary["control"]["photos"], sharp);
    assert_ne!(summary["control"]["figures"], summary["measured"]["figures"]);
}

fn image_side(path: &Path) -> usize {
    let photo = sklens::image::decode(&fs::read(path).unwrap()).unwrap();
    photo.width().min(photo.height())
}

#[test]
fn wrong_calls_exit_with_2_and_say_why() {
    let folder = Folder::with_photos("wrong");
    fs::create_dir_all(folder.0.join("empty")).unwrap();
    let fast = ["--scales", "1", "--size", "64"];
    for (out, shard) in [("1.parquet", "1/2"), ("2.parquet", "2/2"), ("third.parquet", "3/3")] {
        folder.sweep(&[&fast[..], &["--out", out, "--shard", shard]].concat());
    }
    folder.sweep(&["--out", "other.parquet", "--shard", "2/2", "--scales", "1", "--size", "96"]);
    let sweep = |more: &[&'static str]| [&OPTIONS, more].concat();
    for (arguments, why) in [
        (sweep(&["--out", "x.parquet", "--shard", "3/2"]), "3/2"),
        (sweep(&["--out", "x.parquet", "--through", "0"]), "through 0"),
        (sweep(&["--out", "x.parquet", "--scales", "9"]), "9"),
        (sweep(&["--out", "x.parquet", "--summary", "s.txt"]), "s.txt"),
        (sweep(&["--out", "nowhere/x.parquet"]), "nowhere"),
        (sweep(&["--out", "1.parquet", "--shard", "1/2"]), "1.parquet holds another sweep: scales"),
        (vec!["sweep", "empty", "--out", "x.parquet"], "no photos"),
        (vec!["sweep", "photos", "--out", "x.parquet", "--model", "resnext50_32x4d", "--weights", "none"], "none"),
        (vec!["merge", "1.parquet", "--out", "m.parquet"], "shards are missing: 2/2"),
        (vec!["merge", "1.parquet", "1.parquet", "2.parquet", "--out", "m.parquet"], "twice"),
        (vec!["merge", "1.parquet", "other.parquet", "--out", "m.parquet"], "size"),
        (vec!["merge", "1.parquet", "third.parquet", "--out", "m.parquet"], "shard"),
        (vec!["merge", "1.parquet", "2.parquet"], "--out"),
        (vec!["merge", "photos/fig.jpg", "--out", "m.parquet"], "fig.jpg"),
    ] {
        let output = folder.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains(why), "{arguments:?}: {}", errors(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
