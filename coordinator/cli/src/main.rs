//! The coordinator: see the library of that name.

fn main() {}
