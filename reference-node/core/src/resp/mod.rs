//! The client protocol: requests in, replies out. Pure bytes, no sockets.

pub mod errors;
pub mod reply;
pub mod request;

pub use reply::Reply;
