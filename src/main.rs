//! The `sklens` command line tool.

fn main() {}
