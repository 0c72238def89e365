//! Named, timed steps.

use anyhow::{Context, Result};
use std::fmt;
use std::time::{Duration, Instant};

/// What became of a step that did not fail.
pub enum Outcome {
    /// It ran.
    Done,
    /// It was not needed; the reason.
    Skipped(String),
}

enum Status {
    Ok,
    Skipped(String),
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed => f.write_str("FAILED"),
        }
    }
}

/// The steps run so far.
#[derive(Default)]
pub struct Steps {
    finished: Vec<(String, Status, Duration)>,
}

impl Steps {
    /// Runs a step, prints its time, and names it in the error if it fails.
    pub fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = step();
        let time = start.elapsed();
        let status = match &outcome {
            Ok(Outcome::Done) => Status::Ok,
            Ok(Outcome::Skipped(reason)) => Status::Skipped(reason.clone()),
            Err(_) => Status::Failed,
        };
        println!("    {status} ({:.1} s)", time.as_secs_f64());
        self.finished.push((name.to_owned(), status, time));
        outcome.map(drop).with_context(|| format!("step \"{name}\""))
    }

    /// Prints every step with its seconds.
    pub fn print_table(&self) {
        let width = self.finished.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max("total".len());
        println!("\n{:<width$}  {:>8}", "step", "seconds");
        for (name, status, time) in &self.finished {
            println!("{name:<width$}  {:>8.1}  {status}", time.as_secs_f64());
        }
        let total: Duration = self.finished.iter().map(|(.., time)| *time).sum();
        println!("{:<width$}  {:>8.1}", "total", total.as_secs_f64());
    }
}
