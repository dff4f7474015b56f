//! Tests of more than one module.

mod arkworks;
mod independent;
mod laws;
mod values;
