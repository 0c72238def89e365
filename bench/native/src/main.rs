//! A contestant of the benchmark as a process: `bench-native sklens|tract CASES`.
//!
//! Each line of standard input is a JSON request, `{"open": {"name", "shape", …}}` or
//! `{"run": {"times", "batch", "side"}}`; each is answered with a line: the output for the case's input, or seconds.

mod engines;

use anyhow::{Context, Result, bail};
use engines::{Contestant, Sklens, Tract};
use serde::Deserialize;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Request {
    Open(Case),
    Run(Run),
}

/// A network of cases.json.
#[derive(Deserialize)]
struct Case {
    name: String,
    shape: [usize; 4],
}

#[derive(Deserialize)]
struct Run {
    times: usize,
    batch: Option<usize>,
    side: Option<usize>,
}

fn main() -> Result<()> {
    let [engine, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        bail!("usage: bench-native sklens|tract CASES");
    };
    let folder = PathBuf::from(folder);
    let mut open: Option<(Box<dyn Contestant>, Vec<f32>, [usize; 4])> = None;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Open(case) => {
                let input = read_floats(&folder.join(format!("{}.input.f32", case.name)))?;
                let mut contestant: Box<dyn Contestant> = match engine.as_str() {
                    "sklens" => Box::new(Sklens::open(&folder, &case.name)?),
                    "tract" => Box::new(Tract::open(&folder, &case.name, case.shape)?),
                    other => bail!("no engine {other:?}"),
                };
                let output = contestant.run(&input, case.shape)?;
                open = Some((contestant, input, case.shape));
                serde_json::to_string(&output)?
            }
            Request::Run(run) => {
                let (contestant, input, shape) = open.as_mut().context("no case is open")?;
                let mut shape = *shape;
                shape[0] = run.batch.unwrap_or(shape[0]);
                let side = run.side.unwrap_or(shape[2]);
                shape[2..].fill(side);
                let input: Vec<f32> = input.iter().copied().cycle().take(shape.iter().product()).collect();
                let start = Instant::now();
                for _ in 0..run.times {
                    contestant.run(&input, shape)?;
                }
                serde_json::to_string(&start.elapsed().as_secs_f64())?
            }
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn read_floats(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
}
