//! Tests of more than one module.

mod independent;
mod laws;
