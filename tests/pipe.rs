//! The command line tool in a pipe whose reader stopped.

use std::process::{Command, Stdio};

#[test]
fn a_closed_pipe_is_an_error_and_not_a_panic() {
    for arguments in [&["models"][..], &["models", "--json"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sklens"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sklens runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("sklens ends");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("cannot write the results") && !error.contains("panicked"), "{error}");
    }
}
