mod cluster;
mod timers;
