//! Real processes: testnets brought up, hurt, and checked.
