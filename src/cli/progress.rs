//! Progress of a transfer, on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const MIB: f64 = (1 << 20) as f64;

/// Tells how far a transfer is: on a terminal in one line that is written over, elsewhere a line now and then.
pub(super) struct Progress<'a> {
    name: &'a str,
    began: Instant,
    first: u64,
    total: Option<u64>,
    at: u64,
    told: Instant,
    terminal: bool,
}

impl<'a> Progress<'a> {
    /// Of `total` bytes, where known, `first` are there.
    pub fn new(name: &'a str, first: u64, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { name, began: now, first, total, at: first, told: now, terminal: stderr().is_terminal() }
    }

    /// `at` bytes are there.
    pub fn at(&mut self, at: u64) {
        self.at = at;
        let pause = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        if self.told.elapsed() >= pause {
            self.tell(if self.terminal { "\r" } else { "\n" });
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.tell("\n");
    }

    fn tell(&mut self, end: &str) {
        self.told = Instant::now();
        let line = line(self.at, self.first, self.total, self.began.elapsed());
        // The transfer goes on where nobody listens.
        let _ = write!(stderr(), "{}: {line}{end}", self.name);
    }
}

/// `at` bytes are there, of which all but `first` came within `elapsed`.
fn line(at: u64, first: u64, total: Option<u64>, elapsed: Duration) -> String {
    let speed = (at - first) as f64 / elapsed.as_secs_f64().max(1e-3);
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / MIB);
    let rate = format!("MiB, {:.1} MiB/s", speed / MIB);
    match total {
        Some(total) if at < total && speed > 0.0 => {
            let left = (total - at) as f64 / speed;
            format!("{} of {} {rate}, {left:.0} s left", mib(at), mib(total))
        }
        Some(total) => format!("{} of {} {rate}", mib(at), mib(total)),
        None => format!("{} {rate}", mib(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_speed_and_time_left() {
        let mib = 1 << 20;
        let seconds = Duration::from_secs(2);
        assert_eq!(line(5 * mib, mib, Some(9 * mib), seconds), "5.0 of 9.0 MiB, 2.0 MiB/s, 2 s left");
        assert_eq!(line(9 * mib, mib, Some(9 * mib), seconds), "9.0 of 9.0 MiB, 4.0 MiB/s");
        assert_eq!(line(3 * mib, 0, None, seconds), "3.0 MiB, 1.5 MiB/s");
        assert_eq!(line(0, 0, Some(mib), Duration::ZERO), "0.0 of 1.0 MiB, 0.0 MiB/s");
    }
}
