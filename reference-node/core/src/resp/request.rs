//! Request parser. (in work)
