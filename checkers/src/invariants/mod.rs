//! Filled by the checkers room.
