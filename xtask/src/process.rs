//! Running other programs, with messages that name the command.

use anyhow::{Context, Result, bail};
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs a command with its output shown; an exit status other than zero is an error that quotes the command.
pub fn run(command: &mut Command) -> Result<()> {
    println!("  $ {}", describe(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("`{}` could not be started", describe(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}); its output is above", describe(command));
    }
    Ok(())
}

/// Runs a command quietly and returns its standard output; on failure the error carries its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}` could not be started", describe(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({}): {}", describe(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The full path of a program found through `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let file_name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file_name)).find(|path| path.is_file())
}

fn describe(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    command.get_args().fold(program.into_owned(), |line, arg| {
        let arg = arg.to_string_lossy();
        if arg.is_empty() || arg.contains(char::is_whitespace) {
            format!("{line} '{arg}'")
        } else {
            format!("{line} {arg}")
        }
    })
}
