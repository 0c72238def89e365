//! Classifies a photo and prints where each SK unit puts its attention.
//!
//! `cargo run --release --example attention -- photo.jpg`

use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::image::{WorkingImage, decode};
use sklens::session::{BackendChoice, Session, View};
use sklens::weights::Source;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: attention PHOTO")?;
    print!("{}", pollster::block_on(look(&path))?);
    Ok(())
}

/// A line for each zoom, and one below it for each unit.
pub async fn look(path: &str) -> Result<String, Box<dyn Error>> {
    let photo = WorkingImage::new(decode(&std::fs::read(path)?)?);
    let source = Source::Static(weights(DEFAULT_MODEL).ok_or("the default model ships with the crate")?);
    let mut session = Session::open(DEFAULT_MODEL, source, BackendChoice::Auto, |_| ()).await?;
    let view = View { scales: vec![1.0, 2.0], ..View::default() };
    let mut lines = Vec::new();
    for result in session.analyze(&photo, &view).await? {
        let best = &result.top[0];
        lines.push(format!("at {}×: {}, {:.0} %\n", result.scale, best.label, 100.0 * best.probability));
        lines.extend(result.units.iter().map(|u| format!("  {}: mean kernel {:.2}\n", u.name, u.expected_kernel)));
    }
    Ok(lines.concat())
}
