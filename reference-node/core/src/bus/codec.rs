//! bytes <-> packet (in work)
