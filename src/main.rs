//! The process: argv, environment and stdio in, an exit status out.

fn main() {}
