mod cluster;
mod fragile;
mod questions;
mod timers;
