//! The list of workloads, one line each. (in work)
