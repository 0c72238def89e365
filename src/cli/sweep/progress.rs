//! How far a long run is and how long it will take.

use std::time::{Duration, Instant};

/// Time from one line to the next.
const INTERVAL: Duration = Duration::from_secs(5);

/// Counts items and tells on standard error.
pub struct Progress {
    began: Instant,
    told: Instant,
    before: usize,
    done: usize,
    total: usize,
}

impl Progress {
    /// Of `total` items, `done` of them by an earlier run.
    pub fn new(done: usize, total: usize) -> Self {
        if done > 0 {
            eprintln!("going on after {done} of {total} photos");
        }
        let began = Instant::now();
        Self { began, told: began, before: done, done, total }
    }

    /// Counts `items` more.
    pub fn add(&mut self, items: usize) {
        self.done += items;
        if self.told.elapsed() < INTERVAL && self.done < self.total {
            return;
        }
        self.told = Instant::now();
        eprintln!("{}", line(self.done - self.before, self.done, self.total, self.began.elapsed()));
    }
}

/// `fresh` of the `done` items took `elapsed`.
fn line(fresh: usize, done: usize, total: usize, elapsed: Duration) -> String {
    let rate = fresh as f64 / elapsed.as_secs_f64().max(1e-9);
    let left = ((total - done) as f64 / rate.max(1e-9)).round() as u64;
    let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
    let left = match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    };
    format!("{done} of {total} photos, {rate:.1} a second, {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_items_do_not_count_for_the_rate() {
        let told = |total| line(10, 110, total, Duration::from_secs(5));
        assert_eq!(told(120), "110 of 120 photos, 2.0 a second, 5 s left");
        assert_eq!(told(310), "110 of 310 photos, 2.0 a second, 1 min 40 s left");
        assert_eq!(told(20_110), "110 of 20110 photos, 2.0 a second, 2 h 46 min left");
    }
}
