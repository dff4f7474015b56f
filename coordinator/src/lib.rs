//! The coordinator service: tasks around the rules of coordinator-core.
