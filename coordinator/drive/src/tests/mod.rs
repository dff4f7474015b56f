mod cluster;
mod fragile;
mod timers;
