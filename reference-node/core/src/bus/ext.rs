//! ping extensions (in work)
