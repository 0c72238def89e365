//! `--weights URL` against servers that are slow, break off, change the file or have none.

#[path = "common/server.rs"]
mod server;

use server::{Behaviour, Server, serve};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/sk_shufflenet_v2_x1_0.tiny200.safetensors");
const TAG: &str = "\"first\"";

fn content() -> Vec<u8> {
    std::fs::read(BUNDLED).expect("the bundled weights")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A user with an empty cache folder.
struct User(tempfile::TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder"))
    }

    fn inspects(&self, server: &Server, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sklens"));
        command.args(["inspect", "--json", &format!("{}/models/a%20b/weights.safetensors?download=1", server.address)]);
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command
            .args(more)
            .env("XDG_CACHE_HOME", self.0.path())
            .env("HOME", self.0.path())
            .output()
            .expect("sklens runs")
    }

    fn succeeds(&self, server: &Server, more: &[&str]) -> String {
        let output = self.inspects(server, more);
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{notes}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"recognised\":\"sk_shufflenet_v2_x1_0\""));
        notes
    }

    fn fails(&self, server: &Server, more: &[&str]) -> String {
        let output = self.inspects(server, more);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// What is in the cache, by the ends of the names.
    fn cached(&self) -> Vec<PathBuf> {
        let folder = self.0.path().join("sklens/weights");
        let entries = std::fs::read_dir(folder).map(|entries| entries.map(|e| e.unwrap().path()).collect());
        entries.unwrap_or_default()
    }

    fn holds(&self, expected: &[u8]) {
        let [file] = &self.cached()[..] else { panic!("{:?}", self.cached()) };
        assert!(file.to_str().unwrap().ends_with("-weights.safetensors"), "{}", file.display());
        assert!(std::fs::read(file).unwrap() == expected);
    }
}

fn requests(server: &Server) -> Vec<Option<String>> {
    server.requests.lock().unwrap().clone()
}

#[test]
fn weights_are_fetched_once() {
    let (user, server) = (User::new(), serve(content(), Behaviour::default()));
    let notes = user.succeeds(&server, &["--sha256", &sha256(&content()).to_uppercase()]);
    assert!(notes.contains("MiB/s"), "{notes}");
    user.holds(&content());
    assert_eq!(user.succeeds(&server, &[]), "");
    assert_eq!(requests(&server), [None]);
}

#[test]
fn a_slow_server_is_waited_for() {
    let pause = Duration::from_millis(40);
    let (user, server) = (User::new(), serve(content(), Behaviour { pause, ..Behaviour::default() }));
    user.succeeds(&server, &[]);
    user.holds(&content());
}

#[test]
fn a_transfer_that_breaks_off_is_continued() {
    let behaviour = Behaviour { etag: TAG, ranges: true, breaks: (1_000_000, 2), ..Behaviour::default() };
    let (user, server) = (User::new(), serve(content(), behaviour));
    let notes = user.succeeds(&server, &[]);
    assert!(notes.contains("broke off after 1000000 of") || notes.contains("ended after 1000000 of"), "{notes}");
    user.holds(&content());
    let from = |n: &str| Some(format!("bytes={n}-"));
    assert_eq!(requests(&server), [None, from("1000000"), from("2000000")]);
}

#[test]
fn what_came_is_kept_for_the_next_call() {
    let behaviour = Behaviour { etag: TAG, ranges: true, breaks: (1000, 100), ..Behaviour::default() };
    let (user, server) = (User::new(), serve(content(), behaviour));
    let message = user.fails(&server, &[]);
    assert!(message.contains("the same call continues it") && message.contains("after 4000 of"), "{message}");
    server.behaviour.lock().unwrap().breaks = (0, 0);
    user.succeeds(&server, &[]);
    user.holds(&content());
    assert_eq!(requests(&server).last(), Some(&Some("bytes=4000-".into())));
}

#[test]
fn a_transfer_starts_again_where_it_cannot_be_continued() {
    for (etag, ranges) in [("", true), ("W/\"weak\"", true), (TAG, false)] {
        let behaviour = Behaviour { etag, ranges, breaks: (5000, 1), ..Behaviour::default() };
        let (user, server) = (User::new(), serve(content(), behaviour));
        user.succeeds(&server, &[]);
        user.holds(&content());
        assert_eq!(requests(&server).len(), 2);
    }
}

#[test]
fn a_file_that_changed_is_not_put_together_from_two() {
    let behaviour = Behaviour { etag: TAG, ranges: true, breaks: (5000, 100), ..Behaviour::default() };
    let (user, server) = (User::new(), serve(content(), behaviour));
    user.fails(&server, &[]);
    *server.behaviour.lock().unwrap() = Behaviour { etag: "\"second\"", ranges: true, ..Behaviour::default() };
    user.succeeds(&server, &["--sha256", &sha256(&content())]);
    user.holds(&content());
}

#[test]
fn what_is_not_there_is_said() {
    for status in [404, 403, 500] {
        let (user, server) =
            (User::new(), serve(content(), Behaviour { status: Some(status), ..Behaviour::default() }));
        let message = user.fails(&server, &[]);
        assert!(
            message.contains(&format!("answered {status}")) && message.contains("weights.safetensors"),
            "{message}"
        );
        assert!(user.cached().iter().all(|file| !file.to_str().unwrap().ends_with(".safetensors")));
    }
    let mut server = serve(content(), Behaviour::default());
    server.address = "http://127.0.0.1:9".into();
    let message = User::new().fails(&server, &[]);
    assert!(message.contains("127.0.0.1:9"), "{message}");
}

#[test]
fn a_wrong_hash_is_refused_and_nothing_kept() {
    let (user, server) = (User::new(), serve(content(), Behaviour::default()));
    let wrong = sha256(b"else");
    let message = user.fails(&server, &["--sha256", &wrong]);
    assert!(message.contains(&wrong) && message.contains(&sha256(&content())), "{message}");
    assert!(user.cached().is_empty(), "{:?}", user.cached());
    assert!(user.fails(&server, &["--sha256", "12"]).contains("64 hexadecimal digits"));
    // A damaged file in the cache is fetched again.
    user.succeeds(&server, &[]);
    std::fs::write(&user.cached()[0], "damaged").unwrap();
    let notes = user.succeeds(&server, &["--sha256", &sha256(&content())]);
    assert!(notes.contains("is fetched again"), "{notes}");
    user.holds(&content());
}

#[test]
fn a_local_file_has_its_hash_checked_too() {
    let inspect = |sha256: &str| {
        Command::new(env!("CARGO_BIN_EXE_sklens")).args(["inspect", BUNDLED, "--sha256", sha256]).output().unwrap()
    };
    assert!(inspect(&sha256(&content())).status.success());
    assert_eq!(inspect(&sha256(b"else")).status.code(), Some(2));
}
