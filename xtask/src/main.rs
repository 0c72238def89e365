//! The project's own build steps: `cargo xtask demo`, `cargo xtask test`.
fn main() {}
